//! `im-client load`.

use restante_im_client::Account;
use restante_im_client::load::{Pacing, Plan, Transport, run as run_plan};

use crate::args::{Load, TransportChoice};

pub(crate) async fn run(account: Account, load: Load) -> anyhow::Result<()> {
    let domain = sip::Aor::from_uri(&account.user).and_then(|aor| aor.domain().map(str::to_owned));
    let plan = Plan {
        target: load.target,
        transport: match load.transport {
            TransportChoice::Udp => Transport::Udp,
            TransportChoice::Tcp => Transport::Tcp,
        },
        connections: load.connections.max(1),
        pacing: load
            .rate
            .map_or(Pacing::Closed(load.in_flight), Pacing::Open),
        warm_up: load.warm_up,
        duration: load.duration,
        mailboxes: load.mailboxes,
        senders: load.senders,
        body_octets: load.body_octets,
        domain: domain.unwrap_or_else(|| "example.org".to_owned()),
        run: rand::random(),
    };
    let report = run_plan(&plan).await?;
    if load.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(())
}
