//! The admin server over a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use restante_daemon::admin::Admin;
use restante_daemon::metrics::Metrics;
use restante_daemon::readiness::Readiness;

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

/// Status line and body of a GET.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("an answer");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    (
        head.lines().next().unwrap_or_default().to_owned(),
        body.to_owned(),
    )
}

#[test]
fn readiness_is_a_status_and_a_line_per_condition() {
    let readiness = Readiness::new();
    let store = readiness.condition("store");
    readiness.condition("listeners").warning("insecure");
    let admin = Admin::spawn(listener(), readiness, Metrics::detached()).expect("started");

    let (status, body) = get(admin.address(), "/readyz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(
        body,
        "listeners: ready, warning: insecure\nstore: not ready: starting\n"
    );

    store.ready();
    let (status, body) = get(admin.address(), "/readyz");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(body, "listeners: ready, warning: insecure\nstore: ready\n");
}

#[test]
fn alive_does_not_depend_on_readiness() {
    let admin = Admin::spawn(listener(), Readiness::new(), Metrics::detached()).expect("started");
    assert_eq!(
        get(admin.address(), "/livez"),
        ("HTTP/1.1 200 OK".into(), "alive\n".into())
    );
    assert_eq!(
        get(admin.address(), "/readyz").0,
        "HTTP/1.1 503 Service Unavailable"
    );
}

#[test]
fn metrics_of_the_process_are_served() {
    let metrics = Metrics::install([]).expect("the first in this process");
    let admin = Admin::spawn(listener(), Readiness::new(), metrics).expect("started");
    metrics::counter!("restante_tests_total").increment(3);
    let (status, body) = get(admin.address(), "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(body.contains("restante_build_info{"), "{body}");
    assert!(body.contains("restante_tests_total 3"), "{body}");
    assert!(Metrics::install([]).is_err());
}

#[tokio::test]
async fn health_answers_while_the_runtime_of_the_process_is_blocked() {
    let admin = Admin::spawn(listener(), Readiness::new(), Metrics::detached()).expect("started");
    // This call blocks the only thread of the runtime; an answer must come from another one.
    assert_eq!(get(admin.address(), "/livez").1, "alive\n");
}

#[test]
fn stop_closes_the_port() {
    let admin = Admin::spawn(listener(), Readiness::new(), Metrics::detached()).expect("started");
    let address = admin.address();
    let _silent = TcpStream::connect(address).expect("it listens");
    admin.stop();
    assert!(TcpStream::connect(address).is_err());
}
