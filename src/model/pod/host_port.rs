//! Ports of the node that pods take.
//!
//! A container that sets `hostPort` takes that port of the node itself, so no second pod there can
//! have the same one. kube-scheduler's `NodePorts` filter holds two ports against each other:
//! protocol and number must be the same, and the addresses too unless one of them is all of the
//! node's. IPv4's `0.0.0.0` and IPv6's `::` both mean all.
//!
//! Source: <https://kubernetes.io/docs/concepts/configuration/overview/> (`hostPort`), and the
//! filter `NodePorts` of <https://kubernetes.io/docs/reference/scheduling/config/>.

use std::sync::Arc;

/// A port of the node that a pod takes.
///
/// # Examples
/// ```
/// use plimsoll::Pod;
/// use plimsoll::model::{HostPort, Protocol};
///
/// let dns = HostPort::new(53).with_protocol(Protocol::Udp);
/// assert_eq!(&*Pod::new("dns").with_host_port(dns).host_ports()[0].host_ip, "0.0.0.0");
/// ```
///
/// Ports are ordered by number, protocol and address.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct HostPort {
    /// 1 to 65535.
    ///
    /// The number as it is on the node (`hostPort`), not in the container.
    pub port: u16,
    /// The protocol.
    ///
    /// TCP by default. The same number of another protocol is another port.
    pub protocol: Protocol,
    /// The address; "0.0.0.0" and "::" mean all of the node's, and so does an empty one.
    pub host_ip: Arc<str>,
}

/// The protocol of a port.
///
/// Ports of different protocols never conflict. Its words are Kubernetes': `TCP`, `UDP`, `SCTP`.
///
/// # Examples
/// ```
/// use plimsoll::model::Protocol;
///
/// assert_eq!("UDP".parse(), Ok(Protocol::Udp));
/// assert_eq!(Protocol::default().to_string(), "TCP");
/// assert!("udp".parse::<Protocol>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Protocol {
    /// The stream control transmission protocol.
    Sctp,
    /// The transmission control protocol.
    #[default]
    Tcp,
    /// The user datagram protocol.
    Udp,
}

impl Protocol {
    /// The word for it.
    ///
    /// In capitals, as in `containers[].ports[].protocol`; what [`FromStr`](std::str::FromStr)
    /// reads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sctp => "SCTP",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl HostPort {
    /// A TCP port on all of the node's addresses.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{HostPort, Protocol};
    ///
    /// let http = HostPort::new(80);
    /// assert_eq!((http.protocol, &*http.host_ip), (Protocol::Tcp, "0.0.0.0"));
    /// ```
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self { port, protocol: Protocol::Tcp, host_ip: "0.0.0.0".into() }
    }

    /// Sets the protocol.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Takes the port on one address only.
    ///
    /// Two pods can share a port number on one node where each names an address of its own.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::HostPort;
    ///
    /// let local = HostPort::new(9100).with_host_ip("127.0.0.1");
    /// assert_eq!(&*local.host_ip, "127.0.0.1");
    /// ```
    #[must_use]
    pub fn with_host_ip(mut self, host_ip: impl Into<Arc<str>>) -> Self {
        self.host_ip = host_ip.into();
        self
    }
}
