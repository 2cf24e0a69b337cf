package example;

import java.util.List;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** A service behind signet: it verifies access tokens offline, by the issuer's published keys. */
@SpringBootApplication
@RestController
public class Api {
  public static void main(String[] args) {
    SpringApplication.run(Api.class, args);
  }

  @GetMapping("/public")
  Map<String, Object> anybody() {
    return Map.of("message", "anybody may read this");
  }

  @GetMapping("/me")
  Map<String, Object> me(@AuthenticationPrincipal Jwt caller) {
    var roles = caller.getClaimAsStringList("roles");
    return Map.of(
        "sub", caller.getSubject(),
        "client_id", caller.getClaimAsString("client_id"),
        "scope", caller.getClaimAsString("scope"),
        "roles", roles == null ? List.of() : roles);
  }

  @GetMapping("/reports")
  Map<String, Object> reports(@AuthenticationPrincipal Jwt caller) {
    return Map.of("reports", List.of("for the eyes of an analyst"), "sub", caller.getSubject());
  }
}
