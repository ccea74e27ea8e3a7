//! Connections as the researcher's own client makes them: TLS 1.3, the site's CA, the
//! certificate of a session.

use std::path::Path;

use sekisho_demo::site::{Site, StageName};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// Connects to an address that shows the gateway's certificate.
pub(crate) async fn connect(site: &Site, url: &str) -> anyhow::Result<Channel> {
    let home = site.root().join("people").join(StageName::Researcher.text()).join("home");
    let read = |path: &Path| std::fs::read(path);
    let chain = read(&home.join("session.crt.pem"))?;
    let key = read(&home.join("session.key.pem"))?;
    let tls = ClientTlsConfig::new()
        .domain_name("127.0.0.1")
        .ca_certificate(Certificate::from_pem(read(&site.ca())?))
        .identity(Identity::from_pem(chain, key));
    Ok(Endpoint::from_shared(url.to_owned())?.tls_config(tls)?.connect().await?)
}
