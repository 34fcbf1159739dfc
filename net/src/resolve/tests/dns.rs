//! The DNS itself: a name server on loopback that answers from a list of records.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SOA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinEncodable};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::*;

struct NameServer {
    address: SocketAddr,
    questions: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl NameServer {
    /// Refuses all questions.
    async fn refusing() -> Self {
        Self::with(None).await
    }

    async fn start(records: Vec<(&str, RData)>) -> Self {
        let records: Vec<_> = records
            .into_iter()
            .map(|(owner, data)| Record::from_rdata(name(owner), 60, data))
            .collect();
        Self::with(Some(records)).await
    }

    async fn with(records: Option<Vec<Record>>) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let questions = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(socket, records, Arc::clone(&questions)));
        Self {
            address,
            questions,
            task,
        }
    }

    fn resolver(&self) -> Resolver {
        let lookup = SystemLookup::with_name_servers(&[self.address]).unwrap();
        Resolver::new(Arc::new(lookup), TOO_LONG)
    }

    fn asked(&self) -> Vec<String> {
        self.questions.lock().unwrap().clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    socket: UdpSocket,
    records: Option<Vec<Record>>,
    questions: Arc<Mutex<Vec<String>>>,
) {
    let mut buffer = [0; 4096];
    while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
        let query = Message::from_bytes(&buffer[..length]).unwrap();
        let response = answer(&query, records.as_deref(), &mut questions.lock().unwrap());
        let octets = response.to_bytes().unwrap();
        socket.send_to(&octets, client).await.unwrap();
    }
}

fn answer(query: &Message, records: Option<&[Record]>, questions: &mut Vec<String>) -> Message {
    let question = query.queries[0].clone();
    questions.push(format!("{} {}", question.query_type(), question.name()));
    let mut response = Message::response(query.metadata.id, query.metadata.op_code);
    response.metadata.message_type = MessageType::Response;
    response.metadata.recursion_available = true;
    response.add_query(question.clone());
    let Some(records) = records else {
        response.metadata.response_code = ResponseCode::Refused;
        return response;
    };
    let found: Vec<_> = records
        .iter()
        .filter(|record| {
            record.name == *question.name() && record.record_type() == question.query_type()
        })
        .cloned()
        .collect();
    if found.is_empty() {
        response.metadata.response_code = ResponseCode::NXDomain;
        let soa = SOA::new(
            name("ns.example."),
            name("admin.example."),
            1,
            60,
            60,
            60,
            60,
        );
        let zone = Record::from_rdata(name("example."), 60, RData::SOA(soa));
        response.add_authorities([zone]);
    }
    response.add_answers(found);
    response
}

fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

fn naptr(order: u16, service: &str, replacement: &str) -> RData {
    RData::NAPTR(NAPTR::new(
        order,
        0,
        b"s"[..].into(),
        service.as_bytes().into(),
        Box::default(),
        name(replacement),
    ))
}

fn srv(priority: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(priority, 0, port, name(target)))
}

async fn resolved(resolver: &Resolver, uri: &str) -> Result<Vec<String>, ResolveError> {
    let hops = resolver.hops(&uri.parse().unwrap(), &NO_TLS).await?;
    Ok(hops.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn naptr_srv_and_addresses_are_asked_for_and_kept() {
    let server = NameServer::start(vec![
        (
            "core.example.",
            naptr(20, "SIP+D2U", "_sip._udp.core.example."),
        ),
        (
            "core.example.",
            naptr(10, "SIP+D2T", "_sip._tcp.core.example."),
        ),
        ("_sip._tcp.core.example.", srv(2, 5062, "b.core.example.")),
        ("_sip._tcp.core.example.", srv(1, 5061, "a.core.example.")),
        ("a.core.example.", RData::A(A::new(192, 0, 2, 1))),
        (
            "a.core.example.",
            RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        ),
        ("b.core.example.", RData::A(A::new(192, 0, 2, 2))),
    ])
    .await;
    let resolver = server.resolver();
    let hops = resolved(&resolver, "sip:user@core.example").await.unwrap();
    assert_eq!(
        hops,
        [
            "TCP [2001:db8::1]:5061",
            "TCP 192.0.2.1:5061",
            "TCP 192.0.2.2:5062"
        ]
    );
    let questions = server.asked();
    assert!(questions.contains(&"NAPTR core.example.".to_owned()));
    let again = resolved(&resolver, "sip:user@core.example").await.unwrap();
    assert_eq!(again, hops);
    assert_eq!(server.asked(), questions);
}

#[tokio::test]
async fn negative_answers_are_kept_too() {
    let server = NameServer::start(vec![]).await;
    let resolver = server.resolver();
    let first = resolved(&resolver, "sip:nobody.example").await;
    assert!(matches!(first, Err(ResolveError::NoAddress)), "{first:?}");
    let questions = server.asked();
    assert_eq!(questions.len(), 5, "{questions:?}");
    let second = resolved(&resolver, "sip:nobody.example").await;
    assert!(matches!(second, Err(ResolveError::NoAddress)), "{second:?}");
    assert_eq!(server.asked(), questions);
}

#[tokio::test]
async fn where_name_servers_refuse_the_system_is_asked_for_addresses() {
    let server = NameServer::refusing().await;
    let resolver = server.resolver();
    // A name that no host table holds and that the system knows without a network.
    let hops = resolved(&resolver, "sip:127.1").await.unwrap();
    assert_eq!(hops, ["UDP 127.0.0.1:5060"]);
    let questions = server.asked();
    assert!(
        questions.iter().any(|asked| asked.starts_with("A ")),
        "{questions:?}"
    );
}

#[tokio::test]
async fn names_that_cannot_be_in_the_dns_fail_without_a_question() {
    let server = NameServer::start(vec![]).await;
    let label = "a".repeat(64);
    let hops = resolved(&server.resolver(), &format!("sip:{label}.example")).await;
    assert!(matches!(hops, Err(ResolveError::LookUp(LookupError::Name))));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let resolver = Resolver::system();
    let hops = resolved(&resolver, "sip:localhost;transport=tcp").await;
    assert!(hops.unwrap().contains(&"TCP 127.0.0.1:5060".to_owned()));
}
