//! An axum server on the stack's own TCP, which has a thread of its own beside tokio's.
//!
//!     sudo axum-server
//!     curl http://10.9.0.2/

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use longwire::net::tokio::{TcpListener, TcpStream};
use longwire_async_examples::{ADDRESS, interrupted, network};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let network = network()?.start()?;
    let listener = TcpListener::bind_on(&network, (ADDRESS, 80)).await?;
    let router = Router::new()
        .route("/", get(async || "axum on longwire\n"))
        .route("/echo", post(async |body: Bytes| body));

    eprintln!("serving http://{}/", listener.local_addr()?);
    axum::serve(Listener(listener), router).with_graceful_shutdown(interrupted()).await?;
    network.shutdown_async(Duration::from_secs(5)).await;
    Ok(())
}

/// What axum accepts from: a type of ours, as neither the trait nor the listener is.
struct Listener(TcpListener);

impl axum::serve::Listener for Listener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match self.0.accept().await {
            Ok(accepted) => accepted,
            // The network is down: nobody will come any more, and the signal ends the wait.
            Err(error) => {
                eprintln!("{error}");
                std::future::pending().await
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
