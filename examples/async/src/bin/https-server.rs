//! An HTTPS server: rustls between hyper and the stack's TCP.
//!
//!     openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=longwire -addext subjectAltName=IP:10.9.0.2 \
//!         -keyout key.pem -out certificate.pem
//!     sudo https-server certificate.pem key.pem
//!     curl --cacert certificate.pem https://10.9.0.2/

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use longwire::net::tokio::{TcpListener, TcpStream};
use longwire_async_examples::{ADDRESS, interrupted, network};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long a client may take for the handshake of TLS.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(certificates), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("usage: https-server CERTIFICATE.pem KEY.pem".into());
    };
    let certificates = CertificateDer::pem_file_iter(certificates)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let network = network()?.start()?;
    let listener = TcpListener::bind_on(&network, (ADDRESS, 443)).await?;
    eprintln!("serving https://{}/", listener.local_addr()?);
    let mut end = std::pin::pin!(interrupted());
    loop {
        tokio::select! {
            accepted = listener.accept() => drop(tokio::spawn(answer(acceptor.clone(), accepted?.0))),
            () = &mut end => break,
        }
    }
    network.shutdown_async(Duration::from_secs(5)).await;
    Ok(())
}

async fn answer(acceptor: TlsAcceptor, stream: TcpStream) {
    if let Err(error) = converse(acceptor, stream).await {
        eprintln!("{error}");
    }
}

/// What is posted comes back.
async fn converse(acceptor: TlsAcceptor, stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stream = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await??;
    let echo = async |request: Request<Incoming>| Ok::<_, hyper::Error>(Response::new(request.into_body()));
    http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(echo)).await?;
    Ok(())
}
