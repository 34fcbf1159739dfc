//! `im-client register`.

use restante_im_client::client::Options;
use restante_im_client::{Account, Client};

use crate::args::Register;

pub(crate) async fn run(
    account: Account,
    options: Options,
    register: Register,
) -> anyhow::Result<()> {
    let (client, _events) = Client::open(account, options).await?;
    let bindings = client.register(register.expires).await?;
    for binding in &bindings {
        println!("{binding}");
    }
    if bindings.is_empty() {
        println!("no bindings");
    }
    client.close().await;
    Ok(())
}
