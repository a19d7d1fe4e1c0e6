//! A WebSocket server (RFC 6455) that sends every message back.
//!
//!     sudo websocket-echo
//!     websocat ws://10.9.0.2/

use std::error::Error;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use longwire::net::tokio::{TcpListener, TcpStream};
use longwire_async_examples::{ADDRESS, interrupted, network};
use tokio_tungstenite::tungstenite;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let network = network()?.spawn()?;
    let listener = TcpListener::bind_on(&network, (ADDRESS, 80)).await?;
    eprintln!("serving ws://{}/", listener.local_addr()?);
    let mut end = std::pin::pin!(interrupted());
    loop {
        tokio::select! {
            accepted = listener.accept() => drop(tokio::spawn(answer(accepted?.0))),
            () = &mut end => break,
        }
    }
    network.shutdown_async(Duration::from_secs(5)).await;
    Ok(())
}

async fn answer(stream: TcpStream) {
    match converse(stream).await {
        Ok(()) | Err(tungstenite::Error::ConnectionClosed) => {}
        Err(error) => eprintln!("{error}"),
    }
}

async fn converse(stream: TcpStream) -> tungstenite::Result<()> {
    let (mut sending, mut receiving) = tokio_tungstenite::accept_async(stream).await?.split();
    // Pings and the closing handshake are answered below us.
    while let Some(message) = receiving.next().await.transpose()? {
        if message.is_text() || message.is_binary() {
            sending.send(message).await?;
        }
    }
    Ok(())
}
