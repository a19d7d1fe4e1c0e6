//! A hyper server on one thread with the stack that it is served by: both are tasks of the same runtime. It sends back
//! what it gets.
//!
//!     sudo hyper-server
//!     curl -d 'all the way round' http://10.9.0.2/

use std::error::Error;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use longwire::net::tokio::{TcpListener, TcpStream};
use longwire_async_examples::{ADDRESS, interrupted, network};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let network = network()?.spawn()?;
    let listener = TcpListener::bind_on(&network, (ADDRESS, 80)).await?;
    eprintln!("serving http://{}/", listener.local_addr()?);
    let mut end = std::pin::pin!(interrupted());
    loop {
        tokio::select! {
            accepted = listener.accept() => drop(tokio::spawn(converse(accepted?.0))),
            () = &mut end => break,
        }
    }
    network.shutdown_async(Duration::from_secs(5)).await;
    Ok(())
}

async fn converse(stream: TcpStream) {
    let echo = async |request: Request<Incoming>| Ok::<_, hyper::Error>(Response::new(request.into_body()));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(echo));
    if let Err(error) = served.await {
        eprintln!("{error}");
    }
}
