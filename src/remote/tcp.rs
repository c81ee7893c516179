//! Servers on TCP, with TLS or without.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use charms_reactive_client::{Place, Stream};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::address::Address;
use crate::proxy::Proxy;

/// A server on TCP.
#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    pub(crate) address: Address,
    pub(crate) tls: Option<Tls>,
    pub(crate) proxy: Option<Proxy>,
}

/// What is spoken with the server that was asked for, and with those that it sends us to.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    /// Without our certificate: others need not know who we are.
    pub(crate) elsewhere: Arc<ClientConfig>,
}

impl Place for Tcp {
    fn connect(&self, limit: Duration) -> io::Result<Box<dyn Stream>> {
        let mut stream = reach(self.proxy.as_ref().map_or(&self.address, |proxy| &proxy.address), limit)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        if let Some(proxy) = &self.proxy {
            proxy.lead(&mut stream, &self.address.authority())?;
        }
        let Some(tls) = &self.tls else { return Ok(Box::new(Plain(stream))) };
        let name = ServerName::try_from(self.address.host.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&tls.config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        // Shaken hands here: whom we do not trust has not been told anything.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Box::new(Sealed(stream)))
    }

    fn root(&self) -> String {
        self.address.url()
    }

    fn host(&self) -> String {
        self.address.authority()
    }

    fn elsewhere(&self, root: &str) -> Result<Arc<dyn Place>, String> {
        let address = Address::parse(root).map_err(|reason| format!("the address {reason}"))?;
        let tls = match (&self.tls, address.is_tls) {
            (Some(_), false) => return Err("it is not encrypted".to_owned()),
            (None, true) => return Err("whom to trust there is not known".to_owned()),
            (None, false) => None,
            (Some(tls), true) => {
                let elsewhere = Arc::clone(&tls.elsewhere);
                Some(Tls { config: Arc::clone(&elsewhere), elsewhere })
            }
        };
        Ok(Arc::new(Self { address, tls, proxy: self.proxy.clone() }))
    }
}

/// Connects to whichever of its numbers answers first.
fn reach(address: &Address, limit: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("no address of `{}`", address.host));
    for number in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&number, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn set_limit(stream: &TcpStream, limit: Option<Duration>) -> io::Result<()> {
    stream.set_read_timeout(limit)?;
    stream.set_write_timeout(limit)
}

/// A connection as it is.
struct Plain(TcpStream);

/// A connection with TLS.
struct Sealed(StreamOwned<ClientConnection, TcpStream>);

impl Stream for Plain {
    fn set_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        set_limit(&self.0, limit)
    }
}

impl Stream for Sealed {
    fn set_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        set_limit(&self.0.sock, limit)
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Read for Sealed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
