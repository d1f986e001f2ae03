//! An echo server as a tokio programmer writes it: a task for each connection, the default
//! multi-thread runtime. Usage: echo-tokio NETWORK ADDRESS

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket, UnixListener};

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count) = stream.read(&mut buffer).await {
        if count == 0 || stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, network, address] = arguments.as_slice() else {
        panic!("usage: echo-tokio tcp|udp|unix ADDRESS");
    };
    match network.as_str() {
        "tcp" => {
            let listener = TcpListener::bind(address).await?;
            println!("listening on tcp {}", listener.local_addr()?);
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(echo(stream));
            }
        }
        "unix" => {
            let listener = UnixListener::bind(address)?;
            println!("listening on unix {address}");
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(echo(stream));
            }
        }
        "udp" => {
            let socket = UdpSocket::bind(address).await?;
            println!("listening on udp {}", socket.local_addr()?);
            let mut buffer = vec![0; 65536];
            loop {
                let (count, peer) = socket.recv_from(&mut buffer).await?;
                socket.send_to(&buffer[..count], peer).await?;
            }
        }
        other => panic!("unknown network {other}"),
    }
}
