//! The gRPC servers: which service is where (design: external contracts).

use std::future::Future;
use std::time::Duration;

use daemon::exit::{Code, Fatal};
use daemon::readiness::Readiness;
use proto::v1::account_service_server::AccountServiceServer;
use proto::v1::console_service_server::ConsoleServiceServer;
use proto::v1::control_service_server::ControlServiceServer;
use proto::v1::deferred_service_server::DeferredServiceServer;
use proto::v1::delivery_service_server::DeliveryServiceServer;
use proto::v1::deposit_service_server::DepositServiceServer;
use proto::v1::event_service_server::EventServiceServer;
use proto::v1::fan_out_service_server::FanOutServiceServer;
use proto::v1::group_service_server::GroupServiceServer;
use proto::v1::import_service_server::ImportServiceServer;
use proto::v1::job_service_server::JobServiceServer;
use proto::v1::key_service_server::KeyServiceServer;
use proto::v1::large_message_service_server::LargeMessageServiceServer;
use proto::v1::mailbox_service_server::MailboxServiceServer;
use proto::v1::maintenance_service_server::MaintenanceServiceServer;
use proto::v1::operator_service_server::OperatorServiceServer;
use proto::v1::process_service_server::ProcessServiceServer;
use proto::v1::registration_service_server::RegistrationServiceServer;
use proto::v1::report_service_server::ReportServiceServer;
use proto::v1::settings_admin_service_server::SettingsAdminServiceServer;
use proto::v1::settings_service_server::SettingsServiceServer;
use proto::v1::subscription_service_server::SubscriptionServiceServer;
use proto::v1::waiting_service_server::WaitingServiceServer;
use storage::Store;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::server::HealthReporter;

use crate::access::Guard;
use crate::account::Accounts;
use crate::bind::{Incoming, Socket};
use crate::deferred::Deferred;
use crate::delivery::Deliveries;
use crate::deposit::Deposits;
use crate::door::{Door, Visit};
use crate::event_log::Events;
use crate::fan_out::FanOuts;
use crate::group::Groups;
use crate::health;
use crate::import::Imports;
use crate::job::Jobs;
use crate::key::Keys;
use crate::large::LargeMessages;
use crate::mailbox::Mailboxes;
use crate::operator::Operators;
use crate::process::Processes;
use crate::registration::Registrations;
use crate::report::Reports;
use crate::secure;
use crate::settings::SettingsServices;
use crate::subscription::Subscriptions;
use crate::upkeep::Maintenance;
use crate::waiting::WaitingMailboxes;

/// A dead edge is noticed within the sum of both, so that it can attach again.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Enough for a window of pager messages in flight; what one upload may have us hold unread.
const STREAM_WINDOW_OCTETS: u32 = 1 << 20;
const CONNECTION_WINDOW_OCTETS: u32 = 8 << 20;
/// Longest frame of octets: each is a call of the system for its sender.
const FRAME_OCTETS: u32 = 64 << 10;

/// Calls under way on one connection, uploads among them; further ones wait at their caller.
const CONNECTION_CALLS: u32 = 16_384;

/// A batch of deposits.
const MAX_REQUEST_OCTETS: usize = 4 << 20;

/// A group of 10,000 members, or a job for as many.
const MAX_GROUP_OCTETS: usize = 16 << 20;

/// Services with the health that answers for them.
pub(crate) struct Listener {
    routes: Routes,
    reporter: HealthReporter,
    names: Vec<&'static str>,
}

/// What edges use.
pub(crate) fn data<S: Store>(
    deposits: Deposits<S>,
    large: LargeMessages<S>,
    deliveries: Deliveries<S>,
    registrations: Registrations<S>,
    subscriptions: Subscriptions<S>,
    (settings, deferred, fan_out, reports, processes): (
        SettingsServices<S>,
        Deferred<S>,
        FanOuts<S>,
        Reports<S>,
        Processes,
    ),
) -> Listener {
    let deposits =
        DepositServiceServer::new(deposits).max_decoding_message_size(MAX_REQUEST_OCTETS);
    let routes = Routes::new(deposits)
        .add_service(
            LargeMessageServiceServer::new(large).max_decoding_message_size(MAX_GROUP_OCTETS),
        )
        .add_service(DeliveryServiceServer::new(deliveries))
        .add_service(RegistrationServiceServer::new(registrations))
        .add_service(SettingsServiceServer::new(settings))
        .add_service(SubscriptionServiceServer::new(subscriptions))
        .add_service(DeferredServiceServer::new(deferred))
        .add_service(FanOutServiceServer::new(fan_out).max_decoding_message_size(MAX_GROUP_OCTETS))
        .add_service(ReportServiceServer::new(reports))
        .add_service(ControlServiceServer::new(processes));
    let names = vec![
        DepositServiceServer::<Deposits<S>>::NAME,
        LargeMessageServiceServer::<LargeMessages<S>>::NAME,
        DeliveryServiceServer::<Deliveries<S>>::NAME,
        RegistrationServiceServer::<Registrations<S>>::NAME,
        SettingsServiceServer::<SettingsServices<S>>::NAME,
        SubscriptionServiceServer::<Subscriptions<S>>::NAME,
        DeferredServiceServer::<Deferred<S>>::NAME,
        FanOutServiceServer::<FanOuts<S>>::NAME,
        ReportServiceServer::<Reports<S>>::NAME,
        ControlServiceServer::<Processes>::NAME,
    ];
    Listener::new(routes, names)
}

/// What operators use.
pub(crate) fn operator<S: Store>(
    mailboxes: Mailboxes<S>,
    operators: Operators<S>,
    (accounts, keys, maintenance, imports): (Accounts<S>, Keys<S>, Maintenance<S>, Imports<S>),
    settings: SettingsServices<S>,
    (waiting, groups, jobs, events): (WaitingMailboxes<S>, Groups<S>, Jobs<S>, Events<S>),
    (door, processes): (Door, Processes),
) -> Listener {
    let routes = Routes::new(MailboxServiceServer::new(mailboxes))
        .add_service(OperatorServiceServer::new(operators))
        .add_service(AccountServiceServer::new(accounts))
        .add_service(SettingsAdminServiceServer::new(settings))
        .add_service(WaitingServiceServer::new(waiting))
        .add_service(GroupServiceServer::new(groups).max_decoding_message_size(MAX_GROUP_OCTETS))
        .add_service(JobServiceServer::new(jobs))
        .add_service(EventServiceServer::new(events))
        .add_service(ConsoleServiceServer::new(door))
        .add_service(KeyServiceServer::new(keys))
        .add_service(MaintenanceServiceServer::new(maintenance))
        .add_service(ProcessServiceServer::new(processes))
        .add_service(ImportServiceServer::new(imports));
    let names = vec![
        MailboxServiceServer::<Mailboxes<S>>::NAME,
        OperatorServiceServer::<Operators<S>>::NAME,
        AccountServiceServer::<Accounts<S>>::NAME,
        SettingsAdminServiceServer::<SettingsServices<S>>::NAME,
        WaitingServiceServer::<WaitingMailboxes<S>>::NAME,
        GroupServiceServer::<Groups<S>>::NAME,
        JobServiceServer::<Jobs<S>>::NAME,
        EventServiceServer::<Events<S>>::NAME,
        ConsoleServiceServer::<Door>::NAME,
        KeyServiceServer::<Keys<S>>::NAME,
        MaintenanceServiceServer::<Maintenance<S>>::NAME,
        ProcessServiceServer::<Processes>::NAME,
        ImportServiceServer::<Imports<S>>::NAME,
    ];
    Listener::new(routes, names)
}

impl Listener {
    /// Adds health.
    fn new(routes: Routes, names: Vec<&'static str>) -> Self {
        let (reporter, health) = tonic_health::server::health_reporter();
        Self {
            routes: routes.add_service(health),
            reporter,
            names,
        }
    }

    /// Adds reflection: that it tells what it offers.
    ///
    /// # Errors
    /// [`Code::Bug`] if the descriptors of the contract are broken.
    pub(crate) fn reflecting(self) -> Result<Self, Fatal> {
        let described = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let v1 = described().build_v1().map_err(undescribed)?;
        // Older tools ask by the name it had before it was stable.
        let alpha = described().build_v1alpha().map_err(undescribed)?;
        Ok(Self {
            routes: self.routes.add_service(v1).add_service(alpha),
            ..self
        })
    }

    /// Lets health follow readiness.
    pub(crate) fn follow(
        &self,
        readiness: Readiness,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        health::follow(
            readiness,
            self.reporter.clone(),
            self.names.clone(),
            shutdown,
        )
    }

    /// Serves until the shutdown and the end of what is under way.
    pub(crate) fn serve(
        &self,
        incoming: Incoming,
        guard: Guard,
        shutdown: CancellationToken,
    ) -> impl Future<Output = Result<(), Fatal>> + use<> {
        let served = server().layer(guard).add_routes(self.routes.clone());
        async move {
            let shutdown = shutdown.cancelled_owned();
            let served = match incoming {
                Incoming::Tcp(listener) => {
                    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                    served
                        .serve_with_incoming_shutdown(incoming, shutdown)
                        .await
                }
                Incoming::Tls(listener, security) => {
                    let incoming = secure::connections(listener, security);
                    served
                        .serve_with_incoming_shutdown(incoming, shutdown)
                        .await
                }
                Incoming::HandedIn(connections) => {
                    let incoming =
                        ReceiverStream::new(connections).map(Ok::<DuplexStream, std::io::Error>);
                    served
                        .serve_with_incoming_shutdown(incoming, shutdown)
                        .await
                }
            };
            served.map_err(|error| failed(&error))
        }
    }

    /// The same for visitors of the console, who come from within this process.
    pub(crate) fn inside(
        &self,
        visits: mpsc::Receiver<Visit>,
        guard: Guard,
        shutdown: CancellationToken,
    ) -> impl Future<Output = Result<(), Fatal>> + use<> {
        let served = server().layer(guard).add_routes(self.routes.clone());
        async move {
            let incoming = ReceiverStream::new(visits).map(Ok::<Visit, std::io::Error>);
            let served = served.serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned());
            served.await.map_err(|error| failed(&error))
        }
    }

    /// The same on a Unix socket.
    pub(crate) fn unix(
        &self,
        socket: Socket,
        guard: Guard,
        shutdown: CancellationToken,
    ) -> impl Future<Output = Result<(), Fatal>> + use<> {
        let served = server().layer(guard).add_routes(self.routes.clone());
        async move {
            let incoming = UnixListenerStream::new(socket.listener);
            let served = served.serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned());
            let outcome = served.await.map_err(|error| failed(&error));
            drop(socket.file);
            outcome
        }
    }
}

fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW_OCTETS)
        .initial_connection_window_size(CONNECTION_WINDOW_OCTETS)
        .max_frame_size(FRAME_OCTETS)
        .max_concurrent_streams(CONNECTION_CALLS)
}

fn undescribed(error: tonic_reflection::server::Error) -> Fatal {
    Fatal::new(Code::Bug, format!("gRPC reflection: {error}"))
}

fn failed(error: &tonic::transport::Error) -> Fatal {
    Fatal::new(
        Code::Unavailable,
        format!("a gRPC listener failed: {error}"),
    )
}
