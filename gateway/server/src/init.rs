//! Laying out a new site: CA, keys, vault, database, the first steward's invitation.
//!
//! The configuration is written last, so a folder with one holds a whole site.

mod allow_list;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use sekisho_app::{App, Founding};
use sekisho_domain::{Clock, SystemClock};
use sekisho_identity::certificates::SiteCa;
use sekisho_vault::{FileVault, SigningIdentity, create_private_dir, create_private_file};
use serde_json::{Value, json};
use toml::Value as Toml;

use crate::config::Config;

/// What a new site is to be.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// Folder to create; an existing one must be empty.
    #[arg(long)]
    pub dir: PathBuf,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// The site's name, in its CA.
    #[arg(long, default_value = "Sekisho site")]
    pub site_name: String,
    /// The producer's name (認定作成事業者).
    #[arg(long, default_value = "Producer")]
    pub producer_name: String,
    /// DNS names and addresses of the gateway; the first DNS name is also the WebAuthn
    /// relying party.
    #[arg(long, value_delimiter = ',', default_value = "localhost,127.0.0.1")]
    pub names: Vec<String>,
    /// WebAuthn origin; https and the first name when left out.
    #[arg(long)]
    pub origin: Option<String>,
    /// Issuer of the first factor.
    #[arg(long)]
    pub oidc_issuer: String,
    /// The gateway's client id there.
    #[arg(long)]
    pub oidc_client_id: String,
    /// File with the client's secret, for a confidential client.
    #[arg(long, value_name = "FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// CA of the issuer's own TLS, PEM, when the system does not know it.
    #[arg(long, value_name = "FILE")]
    pub oidc_ca_file: Option<PathBuf>,
    /// The first steward's name.
    #[arg(long)]
    pub steward_name: String,
    /// Their subject at the issuer.
    #[arg(long)]
    pub steward_subject: String,
    /// Allow-list of authenticator models (TOML).
    #[arg(long, value_name = "FILE")]
    pub authenticators: PathBuf,
    /// PostgreSQL URL; SQLite in the folder when left out.
    #[arg(long, env = "SEKISHO_DATABASE_URL", hide_env_values = true)]
    pub database: Option<String>,
}

/// Lays the site out; returns the invitation and the configuration's path.
///
/// # Errors
/// Fails when the folder is not empty or something in the plan cannot be used.
pub async fn init(plan: Plan) -> anyhow::Result<Value> {
    let dir = std::path::absolute(&plan.dir)?;
    ensure_empty(&dir)?;
    let relying_party = relying_party(&plan.names)?.to_owned();
    let authenticators = allow_list::self_contained(&plan.authenticators)?;
    create_private_dir(&dir).context("the site's folder")?;
    let text = config_text(&plan, &relying_party);
    lay_out(&plan, &dir, &authenticators).with_context(|| unfinished(&dir))?;
    let config = Config::parse(&text, &dir).with_context(|| unfinished(&dir))?;
    let invitation = found(&plan, config).await.with_context(|| unfinished(&dir))?;
    let path = dir.join("config.toml");
    create_private_file(&path, text.as_bytes())?;
    Ok(json!({ "invitation": invitation, "config": path }))
}

fn unfinished(dir: &Path) -> String {
    format!("the site is not whole; remove {} before trying again", dir.display())
}

fn ensure_empty(dir: &Path) -> anyhow::Result<()> {
    match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| dir.display().to_string()),
        Ok(mut entries) => {
            ensure!(entries.next().is_none(), "{} is not empty", dir.display());
            Ok(())
        }
    }
}

/// WebAuthn wants a domain; an address will not do.
fn relying_party(names: &[String]) -> anyhow::Result<&str> {
    let dns = names.iter().find(|name| name.parse::<std::net::IpAddr>().is_err());
    match dns {
        Some(name) if !name.is_empty() => Ok(name),
        _ => bail!("--names must hold a DNS name, for WebAuthn"),
    }
}

/// Everything but database and configuration.
fn lay_out(plan: &Plan, dir: &Path, authenticators: &str) -> anyhow::Result<()> {
    let now = SystemClock.now().seconds();
    let ca = SiteCa::create(&dir.join("ca"), &plan.site_name, now)?;
    let (chain, key) = ca.issue_server(&plan.names, now)?;
    for folder in ["tls", "keys", "vault", "objects"] {
        create_private_dir(&dir.join(folder))?;
    }
    std::fs::write(dir.join("tls/server.pem"), chain)?;
    create_private_file(&dir.join("tls/server.key.pem"), key.as_bytes())?;
    SigningIdentity::generate()?.save(&dir.join("keys/checkpoint.pem"))?;
    SigningIdentity::generate()?.save(&dir.join("keys/ticket.pem"))?;
    FileVault::create(&dir.join("vault"))?;
    std::fs::write(dir.join("authenticators.toml"), authenticators)?;
    std::fs::write(dir.join(sekisho_deployment::FILE), sekisho_deployment::OWN_PREMISES)?;
    if let Some(file) = &plan.oidc_client_secret_file {
        let secret = std::fs::read(file).with_context(|| file.display().to_string())?;
        create_private_file(&dir.join("keys/oidc-client-secret"), &secret)?;
    }
    if let Some(file) = &plan.oidc_ca_file {
        let pem = std::fs::read(file).with_context(|| file.display().to_string())?;
        std::fs::write(dir.join("oidc-ca.pem"), pem)?;
    }
    if let Some(url) = &plan.database {
        create_private_file(&dir.join("keys/database-url"), url.as_bytes())?;
    }
    Ok(())
}

async fn found(plan: &Plan, config: Config) -> anyhow::Result<String> {
    let app = App::open(config.app, Arc::new(SystemClock)).await?;
    let founding = Founding {
        producer_name: plan.producer_name.clone(),
        steward_name: plan.steward_name.clone(),
        oidc_issuer: plan.oidc_issuer.clone(),
        oidc_subject: plan.steward_subject.clone(),
    };
    let site = app.found(founding).await?;
    app.stopped().await?;
    Ok(site.invitation)
}

/// The configuration, with what was left to its default said in a comment.
fn config_text(plan: &Plan, relying_party: &str) -> String {
    let quoted = |text: &str| Toml::String(text.to_owned()).to_string();
    let origin = plan.origin.clone().unwrap_or_else(|| format!("https://{relying_party}"));
    let database = match plan.database {
        Some(_) => "postgres_url_file = \"keys/database-url\"",
        None => "sqlite = \"sekisho.db\"",
    };
    let mut oidc = vec![
        format!("issuer = {}", quoted(&plan.oidc_issuer)),
        format!("client_id = {}", quoted(&plan.oidc_client_id)),
    ];
    if plan.oidc_client_secret_file.is_some() {
        oidc.push("client_secret_file = \"keys/oidc-client-secret\"".to_owned());
    }
    if plan.oidc_ca_file.is_some() {
        oidc.push("extra_ca_file = \"oidc-ca.pem\"".to_owned());
    }
    if plan.oidc_issuer.starts_with("http://") {
        oidc.push("# The issuer speaks plain http: for demonstrations on one machine only.".into());
        oidc.push("allow_http_loopback = true".to_owned());
    }
    format!(
        "# Configuration of this site's gateway. Paths are relative to this file.\n\
         listen = {}\n\
         # Name of the audit log in its checkpoints; never change it.\n\
         log_origin = {}\n\
         \n\
         [database]\n\
         {database}\n\
         \n\
         [webauthn]\n\
         rp_id = {}\n\
         origin = {}\n\
         \n\
         [oidc]\n\
         {}\n",
        quoted(&plan.listen.to_string()),
        quoted(&format!("{relying_party}/sekisho")),
        quoted(relying_party),
        quoted(&origin),
        oidc.join("\n"),
    )
}

#[cfg(test)]
pub(crate) mod tests;
