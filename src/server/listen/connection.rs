//! Connections: as many as there are places, and cut off where the other side does not go on.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::certificate::Certificate;
use crate::operations::Peer;

/// How long to wait where the system cannot take a connection, as when too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many headers a request may have, and how long its head may be, with what has come of the body.
const HEADERS_MAX: usize = 100;
const BUFFER_BYTES_MAX: usize = 32 * 1024;

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections there are at a time on one listener; further ones wait.
    pub connections: usize,
    /// How long a client may take to shake hands.
    pub handshake: Duration,
    /// How long it may take for the head of a request, the first or the next.
    pub head: Duration,
    /// How long it may take to read anything of an answer.
    pub unread: Duration,
    /// How long one that has shut down its side is answered: beyond that nobody knows whether it is there.
    pub half_closed: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            // Ten thousand who watch, and some to spare.
            connections: 16_384,
            handshake: seconds(10),
            head: seconds(60),
            unread: seconds(30),
            // More than a watch waits.
            half_closed: seconds(75),
        }
    }
}

/// Where connections come from.
pub(super) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
    Tls(TcpListener, TlsAcceptor),
}

/// Serves connections for ever, a task each; who is slow holds nobody up.
pub(super) async fn serve(listener: Listener, router: Router, limits: Limits) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let listener = Arc::new(listener);
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let accepted = match &*listener {
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| Accepted::unix(stream)),
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| Accepted::tcp(stream)),
            Listener::Tls(tcp, _) => tcp.accept().await.map(Accepted::Tls),
        };
        let Ok(accepted) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (listener, router) = (Arc::clone(&listener), router.clone());
        tokio::spawn(async move {
            if let Some((wire, peer)) = shake_hands(accepted, &listener, limits).await {
                talk(wire, peer, router, limits).await;
            }
            drop(place);
        });
    }
}

enum Accepted {
    Plain(Box<dyn Stream>, Option<Peer>),
    Tls((tokio::net::TcpStream, SocketAddr)),
}

impl Accepted {
    fn unix(stream: tokio::net::UnixStream) -> Self {
        let uid = stream.peer_cred().ok().map(|credentials| credentials.uid());
        Self::Plain(Box::new(stream), Some(Peer::Unix { uid }))
    }

    fn tcp(stream: tokio::net::TcpStream) -> Self {
        Self::Plain(Box::new(stream), None)
    }
}

/// None: it did not want to, or could not; TLS itself tells it so.
async fn shake_hands(
    accepted: Accepted,
    listener: &Listener,
    limits: Limits,
) -> Option<(Wire, Option<Peer>)> {
    let (stream, peer) = match (accepted, listener) {
        (Accepted::Plain(stream, peer), _) => (stream, peer),
        (Accepted::Tls((stream, address)), Listener::Tls(_, acceptor)) => {
            let stream = timeout(limits.handshake, acceptor.accept(stream)).await.ok()?.ok()?;
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let certificate = shown.and_then(|certificate| Certificate::new(certificate));
            (Box::new(stream) as Box<dyn Stream>, Some(Peer::Tls { address, certificate }))
        }
        (Accepted::Tls(_), _) => return None,
    };
    let is_unix = matches!(peer, Some(Peer::Unix { .. }));
    let (is_whole, half_closed) = (Arc::default(), Arc::default());
    Some((Wire { stream, is_unix, unread: limits.unread, stalled: None, is_whole, half_closed }, peer))
}

/// Answers requests until either side has enough.
async fn talk(wire: Wire, peer: Option<Peer>, router: Router, limits: Limits) {
    let (half_closed, is_whole) = (Arc::clone(&wire.half_closed), Arc::clone(&wire.is_whole));
    let answer = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        // What comes after a request to upgrade is no request.
        let is_over = request.body().is_end_stream() && !request.headers().contains_key(header::UPGRADE);
        is_whole.store(is_over, Ordering::Relaxed);
        let is_whole = Arc::clone(&is_whole);
        let mut request = request.map(|body| Body::new(Heard { body, is_whole }));
        if let Some(peer) = &peer {
            request.extensions_mut().insert(peer.clone());
        }
        answer.call(request)
    });
    let connection = http1::Builder::new()
        .header_read_timeout(limits.head)
        .timer(TokioTimer::new())
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(wire), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // Whatever goes wrong with a connection is its end, and nobody is there to be told.
    tokio::select! {
        _ = &mut connection => return,
        () = half_closed.notified() => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(timeout(limits.half_closed, connection).await);
}

/// The body of a request, which notes when all of it has come.
struct Heard {
    body: Incoming,
    is_whole: Arc<AtomicBool>,
}

impl HttpBody for Heard {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.is_whole.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection; an error where the other side has gone, or takes nothing for too long.
struct Wire {
    stream: Box<dyn Stream>,
    is_unix: bool,
    unread: Duration,
    /// Since when it takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Whether a request has come, and all of it.
    is_whole: Arc<AtomicBool>,
    /// Told when the other side says nothing more, and waits for an answer.
    half_closed: Arc<Notify>,
}

impl Wire {
    fn unless_stalled<T>(
        &mut self,
        poll: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let unread = self.unread;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(unread)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() == before && buffer.remaining() > 0 {
            // A unix socket tells the side that is shut down from the client that has gone: to write nothing
            // to the latter fails.
            if self.is_unix
                && let Poll::Ready(Err(gone)) = Pin::new(&mut self.stream).poll_write(context, &[])
            {
                return Poll::Ready(Err(gone));
            }
            if self.is_whole.load(Ordering::Relaxed) {
                // It is answered before it is told that this was the end.
                self.half_closed.notify_one();
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.unless_stalled(poll, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.unless_stalled(poll, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(context);
        self.unless_stalled(poll, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.unless_stalled(poll, context)
    }
}
