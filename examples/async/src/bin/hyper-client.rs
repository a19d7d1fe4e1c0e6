//! Fetches pages from one server over one connection, with hyper.
//!
//!     python3 -m http.server --bind 10.9.0.1 8000 &
//!     sudo hyper-client 10.9.0.1:8000 / /Cargo.toml

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use longwire::net::Network;
use longwire::net::tokio::TcpStream;
use longwire_async_examples::network;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let authority = arguments.next().ok_or("usage: hyper-client HOST:PORT PATH…")?;
    let network = network()?.spawn()?;
    fetch(&network, &authority, arguments).await?;
    network.shutdown_async(Duration::from_secs(5)).await;
    Ok(())
}

/// The bodies go to standard output.
async fn fetch(
    network: &Network,
    authority: &str,
    paths: impl Iterator<Item = String>,
) -> Result<(), Box<dyn Error>> {
    let stream = TcpStream::connect_on(network, authority).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    for path in paths {
        let request = Request::get(&path).header("Host", authority).body(Empty::<Bytes>::new())?;
        sender.ready().await?;
        let mut answer = sender.send_request(request).await?;
        eprintln!("{path}: {}", answer.status());
        while let Some(frame) = answer.frame().await {
            if let Ok(data) = frame?.into_data() {
                std::io::stdout().write_all(&data)?;
            }
        }
    }
    Ok(())
}
