//! The gateway's first factor against a provider that is not ours: the certified
//! `oidc-provider` of npm, with its own form, cookies and redirects.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};

use sekisho_demo::site::{Programs, Site, StageName};
use serde_json::{Value, json};

use crate::support::{
    desk::{self, FAILED, NOT_LOGGED_IN},
    log,
};

const CLIENT: &str = "sekisho-gateway";
const SECRET: &str = "provider-knows-the-gateway-by-this";
const STEWARD: StageName = StageName::Steward;
const SUBJECT: &str = "steward-at-another-provider";
/// Has an account there, but not here.
const STRANGER: &str = "stranger";

/// The running provider; it ends when its standard input closes.
struct Provider {
    issuer: String,
    process: Child,
    _open: Option<ChildStdin>,
}

impl Provider {
    fn start() -> Self {
        let config = json!({
            "client": {
                "client_id": CLIENT,
                "client_secret": SECRET,
                // A native client: the port of its loopback redirect is free (RFC 8252).
                "application_type": "native",
                "redirect_uris": ["http://127.0.0.1/callback"],
            },
            "accounts": [
                { "login": STEWARD.text(), "sub": SUBJECT },
                { "login": STRANGER, "sub": "nobody-known-here" },
            ],
        });
        let folder = sekisho_tests::root().join("tests/oidc");
        assert!(folder.join("node_modules").is_dir(), "no provider: `make test` installs it");
        let mut process = Command::new("node")
            .arg(folder.join("server.mjs"))
            .arg(config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node must be there: `make test` installs it");
        let open = process.stdin.take();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the provider did not come up");
        Self { issuer: desk::text(&ready, "issuer"), process, _open: open }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // Already ended is fine; nothing else can be done here.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn browser() -> PathBuf {
    sekisho_tests::root().join("tests/oidc/browser.mjs")
}

#[test]
fn au_1_a_real_provider_enrols_and_logs_in() {
    let provider = Provider::start();
    let mut site = Site::new(None).unwrap();
    let invitation = found(&site, &provider);
    site.start_gateway().unwrap();
    let login =
        |user: &str| site.login(STEWARD).env("BROWSER", browser()).env("SEKISHO_TEST_LOGIN", user);

    let stranger = login(STRANGER).args(["--invitation", &invitation, "--json"]).run().unwrap();
    assert_ne!(stranger.status, Some(0), "somebody else's invitation was taken");
    assert!(
        matches!(stranger.status, Some(FAILED | NOT_LOGGED_IN | desk::REFUSED)),
        "{stranger:?}"
    );

    let enrolled = login(STEWARD.text()).args(["--invitation", &invitation]).json().unwrap();
    assert_eq!(enrolled["biometric_level"], "BIOMETRIC_LEVEL_B1");
    let again = login(STEWARD.text()).json().unwrap();
    assert_ne!(again["session_id"], enrolled["session_id"]);
    let me = site.person(STEWARD).arg("whoami").json().unwrap();
    assert_eq!(me["session_id"], again["session_id"]);
    assert_eq!(me["display_name"], STEWARD.full_name());

    let spent = login(STEWARD.text()).args(["--invitation", &invitation, "--json"]).run().unwrap();
    assert_ne!(spent.status, Some(0), "an invitation was taken twice");
    recorded(&site, &provider);
}

/// What the steward, who may read the log too, finds in it.
fn recorded(site: &Site, provider: &Provider) {
    let path = site.root().join("log.jsonl");
    site.person(STEWARD).args(["audit", "export", "--out"]).arg(&path).succeed().unwrap();
    let entries = log::read(&path);
    let count = |kind: &str| entries.iter().filter(|entry| entry.kind() == kind).count();
    assert_eq!((count("credential_enrolled"), count("login_completed")), (1, 2));
    assert!(count("login_refused") >= 1);
    let first = entries.iter().find(|entry| entry.kind() == "first_factor").unwrap();
    assert_eq!(first.part("issuer"), provider.issuer);
    site.person(STEWARD).args(["audit", "verify"]).arg(&path).succeed().unwrap();
}

/// Lays the gateway out for this provider; returns the steward's invitation.
fn found(site: &Site, provider: &Provider) -> String {
    let secret = site.root().join("provider.secret");
    fs::write(&secret, SECRET).unwrap();
    let programs = Programs::beside_this().unwrap();
    let made = programs
        .command(&programs.gateway)
        .args(["init", "--listen", site.gateway_url().trim_start_matches("https://"), "--dir"])
        .arg(site.root().join("gateway"))
        .args(["--oidc-issuer", &provider.issuer, "--oidc-client-id", CLIENT])
        .arg("--oidc-client-secret-file")
        .arg(secret)
        .args(["--steward-name", STEWARD.full_name(), "--steward-subject", SUBJECT])
        .arg("--authenticators")
        .arg(site.root().join("authenticators.toml"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    desk::text(&serde_json::from_slice(&made.stdout).unwrap(), "invitation")
}
