use std::os::unix::fs::PermissionsExt;

use super::*;

const WHOLE: &str = r#"
listen = "127.0.0.1:0"
log_origin = "localhost/sekisho"
[database]
sqlite = "sekisho.db"
[oidc]
issuer = "https://issuer.example"
client_id = "sekisho"
[webauthn]
rp_id = "localhost"
origin = "https://localhost"
"#;

fn keys(text: &str) -> Vec<String> {
    let errors = Config::parse(text, Path::new("/site")).unwrap_err();
    errors.0.into_iter().map(|problem| problem.key).collect()
}

#[test]
fn what_is_left_out_has_a_default_and_paths_are_relative_to_the_file() {
    let config = Config::parse(WHOLE, Path::new("/site/gateway")).unwrap();
    let database = DatabaseUrl::new("sqlite:///site/gateway/sekisho.db".to_owned());
    assert_eq!(config.app.database_url, database);
    assert!(!format!("{config:?}").contains("sekisho.db"), "an address may hold a password");
    assert_eq!(config.app.ca, Path::new("/site/gateway/ca"));
    assert_eq!(config.server_key, Path::new("/site/gateway/tls/server.key.pem"));
    assert_eq!(config.app.session_seconds, 8 * 3600);
    assert!(!config.reflection && !config.app.oidc.allow_http_loopback);
    assert_eq!(config.app.watch, WatchConfig::default());
    assert_eq!(config.telemetry.otlp_endpoint, None);
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = r#"
        listen = "here"
        colour = "red"
        reflection = "yes"
        [database]
        sqlite = "a.db"
        postgres_url_file = "missing"
        [connections]
        most = 0
        [session]
        seconds = 99999
        [oidc]
        issuer = "http://issuer.example"
        tenant = 1
        client_secret_file = "missing"
        required_acr = "one"
        [webauthn]
        rp_id = ""
        origin = "localhost"
        [watch]
        denied_burst = { threshold = 0, window_seconds = 60, cut_access = true }
        [runs]
        memory_bytes = -1
        [telemetry]
        log = "=,="
        otlp_endpoint = "collector"
    "#;
    let mut found = keys(text);
    found.sort();
    let expected = [
        "colour",
        "connections.most",
        "database.postgres_url_file",
        "listen",
        "log_origin",
        "oidc.client_id",
        "oidc.client_secret_file",
        "oidc.issuer",
        "oidc.required_acr",
        "oidc.tenant",
        "reflection",
        "runs.memory_bytes",
        "session.seconds",
        "telemetry.log",
        "telemetry.otlp_endpoint",
        "watch",
        "webauthn.origin",
        "webauthn.rp_id",
    ];
    assert_eq!(found, expected);
}

#[test]
fn unknown_keys_are_refused_in_every_table() {
    for table in ["connections", "session", "runs", "telemetry", "watch"] {
        let text = format!("{WHOLE}\n[{table}]\nsurprise = 1\n");
        assert!(keys(&text)[0].starts_with(table), "{table}");
    }
    assert_eq!(keys("not toml at all"), [""]);
}

#[test]
fn one_database_must_be_named() {
    let without = WHOLE.replace("sqlite = \"sekisho.db\"", "");
    assert_eq!(keys(&without), ["database"]);
}

#[test]
fn secrets_come_from_files_that_nobody_else_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hush\n").unwrap();
    let text = WHOLE.replace("[oidc]", "[oidc]\nclient_secret_file = \"secret\"");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = Config::parse(&text, folder.path()).unwrap_err();
    assert_eq!(refused.0[0].key, "oidc.client_secret_file");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = Config::parse(&text, folder.path()).unwrap();
    assert_eq!(config.app.oidc.client_secret.as_deref(), Some("hush"));
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn plain_http_to_the_provider_must_be_asked_for() {
    let http = WHOLE.replace("https://issuer", "http://issuer");
    assert_eq!(keys(&http), ["oidc.issuer"]);
    let asked = http.replace("[oidc]", "[oidc]\nallow_http_loopback = true");
    assert!(Config::parse(&asked, Path::new("/site")).is_ok());
}

#[test]
fn a_vault_is_a_folder_or_a_token() {
    let parse = |text: &str| Config::parse(text, Path::new("/site"));
    assert_eq!(parse(WHOLE).unwrap().app.vault, VaultPlace::Folder("/site/vault".into()));
    let token = "[vault]\nlibrary = '/lib/hsm.so'\ntoken = 'desk'\npin = 'pin'\n";
    let VaultPlace::Token(place) = parse(&format!("{WHOLE}{token}")).unwrap().app.vault else {
        panic!("no token");
    };
    assert_eq!((place.token.as_str(), place.pin), ("desk", "/site/pin".into()));
    assert_eq!(place.records, Path::new("/site/vault"));
    let bad = "[vault]\ntoken = 7\nslot = 1\n";
    assert_eq!(
        keys(&format!("{WHOLE}{bad}")),
        ["vault.library", "vault.token", "vault.pin", "vault.slot"]
    );
}
