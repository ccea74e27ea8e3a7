//! Calls below any generated client: raw bytes to any method, with any certificate.

use std::{fs, path::PathBuf, time::Duration};

use prost::bytes::{Buf, BufMut, Bytes};
use sekisho_demo::site::{Site, StageName};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_types::StatusExt;

const PATIENCE: Duration = Duration::from_secs(30);

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Code,
    /// Stable reason code; empty when there is none.
    pub(crate) reason: String,
    /// The call's name in the log.
    pub(crate) request_id: String,
}

impl Ended {
    fn by(status: &Status) -> Self {
        let info = status.get_details_error_info();
        let named = status.metadata().get("sekisho-request-id").and_then(|id| id.to_str().ok());
        let info_id = info.as_ref().and_then(|info| info.metadata.get("request_id").cloned());
        Self {
            code: status.code(),
            request_id: info_id.or(named.map(str::to_owned)).unwrap_or_default(),
            reason: info.map(|info| info.reason).unwrap_or_default(),
        }
    }
}

/// A connection without a client certificate, or with one.
pub(crate) fn channel(site: &Site, identity: Option<Identity>) -> Channel {
    let ca = Certificate::from_pem(fs::read(site.ca()).unwrap());
    let tls = ClientTlsConfig::new().ca_certificate(ca);
    let tls = match identity {
        Some(identity) => tls.identity(identity),
        None => tls,
    };
    let endpoint = Endpoint::from_shared(site.gateway_url()).unwrap().timeout(PATIENCE);
    endpoint.tls_config(tls).unwrap().connect_lazy()
}

/// The session of a person who is logged in, as their command line keeps it.
pub(crate) fn session(site: &Site, who: StageName) -> Identity {
    let home = home(site, who);
    let read = |name: &str| fs::read(home.join(name)).unwrap();
    Identity::from_pem(read("session.crt.pem"), read("session.key.pem"))
}

/// Their profile folder.
pub(crate) fn home(site: &Site, who: StageName) -> PathBuf {
    site.root().join("people").join(who.text()).join("home")
}

/// Sends one message of these bytes to `method`, whatever its kind, and reads to the end.
pub(crate) async fn call(channel: &Channel, method: &str, message: &[u8]) -> Ended {
    let ended = tokio::time::timeout(PATIENCE, to_the_end(channel, method, message)).await;
    ended.unwrap_or_else(|_| panic!("{method} did not end"))
}

async fn to_the_end(channel: &Channel, method: &str, message: &[u8]) -> Ended {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let request = Request::new(tokio_stream::once(Bytes::copy_from_slice(message)));
    let path = method.parse().unwrap();
    let answered = client.streaming(request, path, Raw).await;
    let mut answer = match answered {
        Ok(answer) => answer,
        Err(status) => return Ended::by(&status),
    };
    let named = answer.metadata().get("sekisho-request-id").cloned();
    let request_id = named.and_then(|id| id.to_str().map(str::to_owned).ok()).unwrap_or_default();
    loop {
        match answer.get_mut().message().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ended { code: Code::Ok, reason: String::new(), request_id },
            Err(status) => {
                let ended = Ended::by(&status);
                return if ended.request_id.is_empty() {
                    Ended { request_id, ..ended }
                } else {
                    ended
                };
            }
        }
    }
}

/// Bytes as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
