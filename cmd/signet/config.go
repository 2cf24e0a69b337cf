package main

import (
	"net/netip"
	"time"
)

// Config is every setting of signet. One struct documents them all: a field's tags are what `signet serve --help` prints
// and what the loader checks, in config_settings.go.
//
//	name     snake case; SIGNET_<NAME>, --<na-me> and `<name>:` in YAML follow from it
//	default  as an operator would type it; none means unset, or worked out in config_derive.go
//	kind     which check a string or list has to pass, in config_values.go
//	min,max  bounds of a count, a duration or a size, both included
//	whole    a duration of whole seconds, because tokens and headers count in seconds
//	one      the values allowed
//	secret   masked wherever it is shown; has a twin <NAME>_FILE that names a file with the value
type Config struct {
	Issuer string `name:"issuer" kind:"issuer" help:"URL of this issuer, the iss of every token: https, or http on loopback; scheme, host and port only"`

	Listen      string `name:"listen" kind:"listen" default:"127.0.0.1:8080" help:"address to serve on; port 0 takes a free one"`
	OpsListen   string `name:"ops_listen" kind:"listen" help:"address for /metrics, /healthz and /readyz; without one, /metrics is on the main address for loopback callers only"`
	AdminListen string `name:"admin_listen" kind:"listen" help:"address for the admin API; without one it is on the main address"`
	TLSCertFile string `name:"tls_cert_file" kind:"path" help:"PEM certificate chain; read again when it changes"`
	TLSKeyFile  string `name:"tls_key_file" kind:"path" help:"PEM private key of the certificate; read again when it changes"`

	DataDir    string `name:"data_dir" kind:"path" default:"./signet-data" help:"folder of the embedded store"`
	MongoDBURI string `name:"mongodb_uri" kind:"mongodb" secret:"true" help:"MongoDB to use instead of the embedded store; the database is the URI's path, else signet"`
	KEKFile    string `name:"kek_file" kind:"path" help:"key-encryption keys, one base64 key of 32 bytes a line; the first seals, all open (default: kek in the data folder)"`

	SMTPURL  string `name:"smtp_url" kind:"smtp" secret:"true" help:"mail server: smtp://user:pass@host:587 (STARTTLS demanded unless the host is loopback) or smtps://"`
	MailFrom string `name:"mail_from" kind:"mailbox" help:"sender of mails (default: no-reply at the issuer's host)"`

	MailTemplates string `name:"mail_templates" kind:"path" help:"folder with texts and layouts of mails that replace the built-in ones, file by file"`

	AllowedOrigins []string       `name:"allowed_origins" kind:"origin" help:"web origins that may call /api/v1 from a browser, comma-separated"`
	TrustedProxies []netip.Prefix `name:"trusted_proxies" help:"networks of the reverse proxies whose X-Forwarded-For and X-Forwarded-Proto count, as CIDRs, comma-separated"`

	Audience   []string      `name:"audience" kind:"audience" help:"aud of first-party access tokens besides the issuer, comma-separated (default: the issuer alone)"`
	AccessTTL  time.Duration `name:"access_ttl" default:"5m" min:"1s" max:"24h" whole:"true" help:"life of an access token"`
	AccessAlg  string        `name:"access_alg" default:"ES256" one:"ES256|RS256" help:"signature algorithm of access tokens"`
	AccessTyp  string        `name:"access_typ" default:"at+jwt" one:"at+jwt|JWT" help:"typ of access tokens: at+jwt (RFC 9068), or JWT for verifiers that refuse it"`
	IDTokenTTL time.Duration `name:"id_token_ttl" default:"1h" min:"1s" max:"24h" whole:"true" help:"life of an ID token"`

	RefreshGrace       time.Duration `name:"refresh_grace" default:"30s" min:"0s" max:"1h" help:"how long a superseded refresh token is answered with the current one"`
	RefreshIdleTTL     time.Duration `name:"refresh_idle_ttl" default:"14d" min:"1s" max:"3650d" whole:"true" help:"a session ends after this long without a refresh"`
	RefreshAbsoluteTTL time.Duration `name:"refresh_absolute_ttl" default:"90d" min:"1s" max:"3650d" whole:"true" help:"a session ends after this long whatever happens"`

	CodeTTL      time.Duration `name:"code_ttl" default:"10m" min:"1s" max:"10m" whole:"true" help:"life of a mailed code"`
	CodeLength   int           `name:"code_length" default:"6" min:"6" max:"12" help:"digits of a mailed code"`
	CodeAttempts int           `name:"code_attempts" default:"5" min:"1" max:"20" help:"wrong codes that end a challenge"`
	ResendAfter  time.Duration `name:"resend_after" default:"30s" min:"0s" max:"10m" whole:"true" help:"wait before a code may be mailed again"`

	LimitCodes     Budget `name:"limit_codes" default:"10/10m" help:"mails per address; 0 for no limit"`
	LimitGuesses   Budget `name:"limit_guesses" default:"20/1h" help:"wrong codes per account; 0 for no limit"`
	LimitPasswords Budget `name:"limit_passwords" default:"10/15m" help:"wrong passwords per account; 0 for no limit"`
	LimitSource    Budget `name:"limit_source" default:"300/1m" help:"sign-in requests per source (IPv4 /24, IPv6 /64); 0 for no limit"`

	SimpleJWTCompat bool          `name:"simplejwt_compat" default:"false" help:"serve the endpoints of Django's SimpleJWT too, and put token_type and user_id into access tokens"`
	AuditRetention  time.Duration `name:"audit_retention" default:"400d" min:"0s" max:"3650d" help:"how long the audit log is kept; 0s for ever"`

	Argon2Memory  KiB `name:"argon2_memory" default:"19MiB" min:"8KiB" max:"256MiB" help:"memory of one argon2id hash (RFC 9106), as 19MiB or 19456KiB"`
	Argon2Time    int `name:"argon2_time" default:"2" min:"1" max:"64" help:"passes of argon2id"`
	Argon2Threads int `name:"argon2_threads" default:"1" min:"1" max:"16" help:"lanes of argon2id, 8KiB of memory each at least"`
	HashSlots     int `name:"hash_slots" min:"1" max:"1024" help:"passwords hashed at the same time, each with its own memory (default: cores - 1, at least 1)"`
	HashQueue     int `name:"hash_queue" default:"32" min:"1" max:"10000" help:"passwords that wait for a slot; beyond it sign-ins are answered 503"`

	KeyPublishAhead  time.Duration `name:"key_publish_ahead" default:"48h" min:"1s" max:"365d" help:"how long a key is published before it signs"`
	KeySigningPeriod time.Duration `name:"key_signing_period" default:"30d" min:"1s" max:"3650d" help:"how long a key signs before its successor takes over"`
	KeyPoll          time.Duration `name:"key_poll" default:"5s" min:"50ms" max:"5m" help:"how often the key ring is read again"`
	ClockSkew        time.Duration `name:"clock_skew" default:"30s" min:"10ms" max:"5m" help:"most that this machine's clock may differ from the store's"`
	JWKSMaxAge       time.Duration `name:"jwks_max_age" default:"5m" min:"0s" max:"7d" whole:"true" help:"how long caches may keep the JWKS"`
	JWKSStaleIfError time.Duration `name:"jwks_stale_if_error" min:"0s" max:"7d" whole:"true" help:"how much longer caches may keep it while the issuer fails (default: the smaller of 1h and an eighth of the publish-ahead)"`
	RSABits          int           `name:"rsa_bits" default:"2048" one:"2048|3072" help:"size of new RSA keys"`

	KeyMaker     string `name:"key_maker" one:"software|pkcs11" help:"where new signing keys are made: in this process, to be kept sealed in the store, or in a PKCS #11 token, to stay there (default: pkcs11 where SIGNET_PKCS11_MODULE is set, else software)"`
	PKCS11Module string `name:"pkcs11_module" kind:"path" help:"the vendor's PKCS #11 library, of an HSM that keeps signing keys; needs a signet built with -tags pkcs11"`
	PKCS11Token  string `name:"pkcs11_token" kind:"label" help:"label of the token that keeps them"`
	PKCS11PIN    string `name:"pkcs11_pin" kind:"pin" secret:"true" help:"PIN of the token's normal user"`

	LogLevel      string        `name:"log_level" default:"info" one:"debug|info|warn|error" help:"least severe level that is logged"`
	LogFormat     string        `name:"log_format" one:"json|console" help:"log lines for machines or for people (default: json; console on a terminal)"`
	ShutdownGrace time.Duration `name:"shutdown_grace" default:"10s" min:"0s" max:"10m" help:"how long requests and mails under way may take to finish after SIGTERM"`
}

// Budget is so many events in any window of that length. Limit 0 is no limit.
type Budget struct {
	Limit  int
	Window time.Duration
}

// KiB is a size in KiB.
type KiB uint32

// What the commands other than serve need of the configuration; serve needs everything.
var (
	storeSettings = []string{"data_dir", "mongodb_uri"}
	ringSettings  = append([]string{"kek_file", "rsa_bits", "key_maker", "pkcs11_module", "pkcs11_token", "pkcs11_pin"}, planSettings...)
	// planSettings are what the arithmetic of keys is made of, beside what the ring itself carries.
	planSettings = append([]string{"key_signing_period", "key_poll", "clock_skew", "jwks_max_age", "jwks_stale_if_error"}, storeSettings...)
)
