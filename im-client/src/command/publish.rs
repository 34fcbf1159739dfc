//! `im-client publish`.

use anyhow::ensure;
use restante_im_client::client::Options;
use restante_im_client::publication::Publication;
use restante_im_client::{Account, Client};

use crate::args::Publish;

pub(crate) async fn run(
    account: Account,
    options: Options,
    asserted: bool,
    publish: Publish,
) -> anyhow::Result<()> {
    ensure!(
        !publish.settings.is_empty() || publish.tag.is_some(),
        "say a setting, such as offline-delivery=off, or the --tag of what shall be refreshed"
    );
    let publication = Publication {
        entity: publish.entity,
        said: publish.settings,
        entity_tag: publish.tag,
        expires: u32::try_from(publish.expires.as_secs()).unwrap_or(u32::MAX),
        asserted,
    };
    let (client, _events) = Client::open(account, options).await?;
    let published = client.publish(&publication).await;
    client.close().await;
    let published = published?;
    println!("tag {} for {}s", published.entity_tag, published.expires);
    Ok(())
}
