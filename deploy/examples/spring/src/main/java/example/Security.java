package example;

import static org.springframework.security.authorization.AuthorizationManagers.allOf;
import static org.springframework.security.authorization.AuthorityAuthorizationManager.hasAuthority;
import static org.springframework.security.authorization.AuthorityAuthorizationManager.hasRole;

import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import java.net.MalformedURLException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.core.GrantedAuthority;
import org.springframework.security.core.authority.SimpleGrantedAuthority;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationConverter;
import org.springframework.security.oauth2.server.resource.authentication.JwtGrantedAuthoritiesConverter;
import org.springframework.security.web.SecurityFilterChain;

@Configuration
class Security {
  @Bean
  SecurityFilterChain chain(HttpSecurity http, JwtAuthenticationConverter callers) throws Exception {
    return http
        .authorizeHttpRequests(
            requests ->
                requests
                    .requestMatchers("/public").permitAll()
                    .requestMatchers("/reports/**").access(allOf(hasAuthority("SCOPE_account"), hasRole("analyst")))
                    .anyRequest().hasAuthority("SCOPE_account"))
        .oauth2ResourceServer(server -> server.jwt(jwt -> jwt.jwtAuthenticationConverter(callers)))
        .sessionManagement(sessions -> sessions.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
        .csrf(csrf -> csrf.disable()) // no cookie is looked at
        .build();
  }

  /**
   * RFC 9068: typ at+jwt, iss, aud, exp, iat, jti, sub and client_id. Spring's default decoder would want typ JWT, which is an ID
   * token's. Keys are kept for the time that is set and fetched again, at most twice in 30 s, for one that was not seen; one that
   * was revoked is gone from here after that time.
   */
  @Bean
  JwtDecoder decoder(
      @Value("${api.issuer}") String issuer,
      @Value("${api.audience}") String audience,
      @Value("${api.jwks-cache}") Duration keep)
      throws MalformedURLException {
    var set = URI.create(issuer + "/.well-known/jwks.json").toURL();
    var keys =
        JWKSourceBuilder.<SecurityContext>create(set, new DefaultResourceRetriever(5_000, 5_000, 50 * 1024)) // half a second by default
            .refreshAheadCache(false)
            .rateLimited(Math.min(keep.toMillis() / 2, Duration.ofSeconds(30).toMillis()))
            .cache(keep.toMillis(), Duration.ofSeconds(15).toMillis())
            .build();
    var decoder =
        NimbusJwtDecoder.withJwkSource(keys)
            .jwsAlgorithms(
                allowed -> { // as the issuer's metadata names them; a key takes only its own of the two
                  allowed.clear();
                  allowed.add(SignatureAlgorithm.ES256);
                  allowed.add(SignatureAlgorithm.RS256);
                })
            .build();
    decoder.setJwtValidator(JwtValidators.createAtJwtValidator().issuer(issuer).audience(audience).build());
    return decoder;
  }

  /** `scope` becomes SCOPE_x, `roles` ROLE_x. */
  @Bean
  JwtAuthenticationConverter callers() {
    var scopes = new JwtGrantedAuthoritiesConverter();
    var callers = new JwtAuthenticationConverter();
    callers.setJwtGrantedAuthoritiesConverter(
        token -> {
          Collection<GrantedAuthority> all = new ArrayList<>(scopes.convert(token));
          var roles = token.getClaimAsStringList("roles");
          if (roles != null) {
            roles.forEach(role -> all.add(new SimpleGrantedAuthority("ROLE_" + role)));
          }
          return all;
        });
    return callers;
  }
}
