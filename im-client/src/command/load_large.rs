//! `im-client load-large`.

use restante_im_client::client::Options;
use restante_im_client::load::uploads::{UploadPlan, run as run_plan};
use restante_im_client::{Account, Client};

use crate::args::LoadLarge;

pub(crate) async fn run(account: Account, options: Options, load: LoadLarge) -> anyhow::Result<()> {
    let domain = sip::Aor::from_uri(&account.user).and_then(|aor| aor.domain().map(str::to_owned));
    let plan = UploadPlan {
        parallel: load.parallel,
        count: load.count,
        rate: load.rate,
        octets: load.size,
        mailboxes: load.mailboxes,
        domain: domain.unwrap_or_else(|| "example.org".to_owned()),
    };
    let (client, _events) = Client::open(account, options).await?;
    let report = run_plan(client, &plan).await;
    if load.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(())
}
