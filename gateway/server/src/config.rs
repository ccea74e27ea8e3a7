//! `config.toml`: read once, checked whole, every problem reported at once.
//!
//! Paths are relative to the file's folder; secrets are never in the file, only paths to
//! them. What is left out has a safe default.

mod section;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use section::Section;
use sekisho_app::{AppConfig, DatabaseUrl};
use sekisho_identity::oidc::OidcConfig;
use sekisho_proto::v1::RunLimits;
use sekisho_vault::{Pkcs11Place, VaultPlace};
use sekisho_watch::WatchConfig;

/// Longest session, seconds: a working day (AU-1).
const SESSION_SECONDS: u64 = 8 * 3600;

/// A site's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where connections are accepted.
    pub listen: SocketAddr,
    /// Whether gRPC reflection is offered, to callers with a session.
    pub reflection: bool,
    /// Server certificate chain, PEM.
    pub server_certificate: PathBuf,
    /// Its key, PEM.
    pub server_key: PathBuf,
    /// How many connections, for how long.
    pub connections: Connections,
    /// Logs and figures.
    pub telemetry: Telemetry,
    /// The application's share.
    pub app: AppConfig,
}

/// Bounds of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Most at once.
    pub most: usize,
    /// Most at once from one address.
    pub most_per_address: usize,
    /// Age in seconds at which a connection with a client certificate is asked to end.
    pub age_seconds: u64,
}

/// Logs and figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// Filter of the log, such as `info` or `sekisho_app=debug,info`.
    pub log: String,
    /// OTLP collector over gRPC; nothing is sent when unset.
    pub otlp_endpoint: Option<String>,
}

/// All that is wrong with a configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Key, with its table, such as `oidc.issuer`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid:")?;
        for Problem { key, message } in &self.0 {
            let colon = if key.is_empty() { "" } else { ": " };
            write!(f, "\n  {key}{colon}{message}")?;
        }
        Ok(())
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let whole = |message: String| ConfigErrors(vec![Problem { key: String::new(), message }]);
        let path = std::path::absolute(path).map_err(|error| whole(error.to_string()))?;
        let text = std::fs::read_to_string(&path)
            .map_err(|error| whole(format!("{}: {error}", path.display())))?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("/")))
    }

    /// Reads text whose paths are relative to `folder`, which is absolute.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigErrors> {
        let mut top = Section::top(text, folder)?;
        let config = Self {
            listen: top.address("listen"),
            reflection: top.flag("reflection", false),
            connections: connections(&mut top),
            telemetry: telemetry(&mut top),
            server_certificate: top.path("server_certificate", "tls/server.pem"),
            server_key: top.path("server_key", "tls/server.key.pem"),
            app: app(&mut top),
        };
        top.finish()?;
        Ok(config)
    }
}

fn connections(top: &mut Section) -> Connections {
    let mut section = top.table("connections");
    let connections = Connections {
        most: section.size("most", 1024, 1..=65_536),
        most_per_address: section.size("most_per_address", 256, 1..=65_536),
        age_seconds: section.integer("age_seconds", 3600, 60..=86_400),
    };
    top.close(section);
    connections
}

fn telemetry(top: &mut Section) -> Telemetry {
    let mut section = top.table("telemetry");
    let log = section.optional_text("log").unwrap_or_else(|| "info".to_owned());
    if tracing_subscriber::EnvFilter::try_new(&log).is_err() {
        section.problem("log", "must be a filter such as info or sekisho_app=debug,info");
    }
    let otlp_endpoint = section.optional_text("otlp_endpoint");
    if let Some(endpoint) = &otlp_endpoint {
        section.check_url("otlp_endpoint", endpoint);
    }
    top.close(section);
    Telemetry { log, otlp_endpoint }
}

fn app(top: &mut Section) -> AppConfig {
    let (rp_id, origin) = webauthn(top);
    let mut session = top.table("session");
    let session_seconds = session.integer("seconds", SESSION_SECONDS, 60..=SESSION_SECONDS);
    top.close(session);
    AppConfig {
        database_url: DatabaseUrl::new(database_url(top)),
        objects: top.path("objects", "objects"),
        vault: vault(top),
        ca: top.path("ca", "ca"),
        checkpoint_key: top.path("checkpoint_key", "keys/checkpoint.pem"),
        ticket_key: top.path("ticket_key", "keys/ticket.pem"),
        log_origin: top.text("log_origin"),
        rp_id,
        origin,
        authenticators: top.path("authenticators", "authenticators.toml"),
        oidc: oidc(top),
        watch: watch(top),
        deployment: top.path("deployment", sekisho_deployment::FILE),
        session_seconds: i64::try_from(session_seconds).unwrap_or(0),
        limits: limits(top),
    }
}

/// A folder, or the token of a hardware security module.
fn vault(top: &mut Section) -> VaultPlace {
    if !top.is_table("vault") {
        return VaultPlace::Folder(top.path("vault", "vault"));
    }
    let mut section = top.table("vault");
    let place = Pkcs11Place {
        library: section.required_path("library"),
        token: section.text("token"),
        pin: section.required_path("pin"),
        records: section.path("records", "vault"),
    };
    top.close(section);
    VaultPlace::Token(place)
}

/// SQLite in a file, or PostgreSQL by a URL that holds a password and so is in a file of
/// its own.
fn database_url(top: &mut Section) -> String {
    let mut section = top.table("database");
    let sqlite = section.optional_path("sqlite");
    let url = section.secret("postgres_url_file");
    let url = match (sqlite, url) {
        (Some(file), None) => format!("sqlite://{}", file.display()),
        (None, Some(url)) => {
            let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
            if !known {
                section.problem("postgres_url_file", "must hold a URL that starts postgres://");
            }
            url
        }
        _ => {
            let message = "give either sqlite or a readable postgres_url_file";
            section.problem("", message);
            String::new()
        }
    };
    top.close(section);
    url
}

fn webauthn(top: &mut Section) -> (String, String) {
    let mut section = top.table("webauthn");
    let rp_id = section.text("rp_id");
    let origin = section.text("origin");
    section.check_url("origin", &origin);
    top.close(section);
    (rp_id, origin)
}

fn oidc(top: &mut Section) -> OidcConfig {
    let mut section = top.table("oidc");
    let issuer = section.text("issuer");
    section.check_url("issuer", &issuer);
    let allow_http_loopback = section.flag("allow_http_loopback", false);
    if issuer.starts_with("http://") && !allow_http_loopback {
        section.problem("issuer", "must be https (or a loopback one with allow_http_loopback)");
    }
    let config = OidcConfig {
        issuer,
        client_id: section.text("client_id"),
        client_secret: section.secret("client_secret_file"),
        required_acr: section.texts("required_acr"),
        max_auth_age_seconds: u32::try_from(section.integer(
            "max_auth_age_seconds",
            3600,
            0..=86_400,
        ))
        .unwrap_or(0),
        extra_ca_pem: section.file("extra_ca_file"),
        allow_http_loopback,
    };
    top.close(section);
    config
}

fn watch(top: &mut Section) -> WatchConfig {
    let config = top.read::<WatchConfig>("watch");
    if let Err(error) = config.check() {
        top.problem("watch", &error.to_string());
    }
    config
}

/// Upper bounds of a run; whatever is 0 there would mean the engine's own default.
fn limits(top: &mut Section) -> RunLimits {
    let mut section = top.table("runs");
    let limits = RunLimits {
        memory_bytes: section.integer("memory_bytes", 1 << 30, 1 << 20..=1 << 32),
        wall_seconds: section.integer("wall_seconds", 900, 1..=86_400),
        fuel: section.integer("fuel", 0, 0..=u64::MAX >> 1),
        output_bytes: section.integer("output_bytes", 4 << 20, 1024..=64 << 20),
        output_cells: u32::try_from(section.integer("output_cells", 20_000, 1..=1_000_000))
            .unwrap_or(0),
        // The agreement says these.
        min_cell: 0,
        cohort_floor: 0,
        rows: 0,
        fuel_quota: 0,
    };
    top.close(section);
    limits
}

#[cfg(test)]
mod tests;
