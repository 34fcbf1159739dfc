//! Accounts and aliases, over gRPC (PFM-09, STO-12).

use proto::v1;
use proto::v1::account_service_client::AccountServiceClient;
use restante_service::Provisioning;
use storage_client::{DepositAnswer, StorageClient};
use tonic::Code;
use tonic::transport::Channel;

use crate::support::{BOB, Service, config, deposited, message_to, next, register, soon, take};

const NUMBER: &str = "tel:+15551234";

fn listed() -> Service {
    let mut config = config();
    config.common.provisioning = Provisioning::Listed;
    Service::in_memory(config)
}

async fn create(accounts: &mut AccountServiceClient<Channel>, address: &str) -> v1::Account {
    let request = v1::CreateAccountRequest {
        address: address.to_owned(),
    };
    let made = accounts.create_account(request).await;
    made.expect("it is free").into_inner()
}

fn alias(address: &str, alias: &str) -> v1::AddAliasRequest {
    v1::AddAliasRequest {
        address: address.to_owned(),
        alias: alias.to_owned(),
    }
}

fn removal(address: &str, alias: &str) -> v1::RemoveAliasRequest {
    v1::RemoveAliasRequest {
        address: address.to_owned(),
        alias: alias.to_owned(),
    }
}

fn deletion(address: &str) -> v1::DeleteAccountRequest {
    v1::DeleteAccountRequest {
        address: address.to_owned(),
    }
}

async fn is_known(client: &StorageClient, address: &str, number: u32) -> bool {
    let answer = client.deposit(message_to(address, number)).await;
    matches!(answer.expect("answered"), DepositAnswer::Deposited(_))
}

#[tokio::test]
async fn accounts_and_aliases_come_and_go_with_the_next_message() {
    let service = listed();
    let (client, mut accounts) = (service.client(), service.accounts().await);
    let made = create(&mut accounts, BOB).await;
    assert!(made.provisioned);
    assert!(!is_known(&client, NUMBER, 1).await);
    let added = accounts.add_alias(alias(BOB, NUMBER)).await.expect("free");
    assert_eq!(added.into_inner().aliases, [NUMBER]);
    accounts
        .add_alias(alias(NUMBER, NUMBER))
        .await
        .expect("it has it");
    let left = accounts.remove_alias(removal(BOB, NUMBER)).await;
    assert!(left.expect("an alias").into_inner().aliases.is_empty());
    assert!(!is_known(&client, NUMBER, 2).await);
    accounts.delete_account(deletion(BOB)).await.expect("empty");
    assert!(!is_known(&client, BOB, 3).await);
    let again = accounts.delete_account(deletion(BOB)).await;
    assert_eq!(again.expect_err("gone").code(), Code::NotFound);
}

#[tokio::test]
async fn mail_that_came_before_its_alias_is_pushed_to_the_account() {
    let service = Service::in_memory(config());
    let client = service.client();
    deposited(&client, message_to(NUMBER, 1)).await;
    client.register(register(BOB, 1)).await.expect("registered");
    let mut jobs = client.attach(1);
    let mut accounts = service.accounts().await;
    accounts.add_alias(alias(BOB, NUMBER)).await.expect("free");
    let job = next(&mut jobs).await;
    assert_eq!(soon(take(&client, job.claim, 0)).await.len(), 1);
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let service = Service::in_memory(config());
    let carol = "sip:carol@example.org";
    let mut accounts = service.accounts().await;
    for address in [BOB, carol] {
        create(&mut accounts, address).await;
    }
    accounts.add_alias(alias(BOB, NUMBER)).await.expect("free");
    let stolen = accounts.add_alias(alias(carol, NUMBER)).await;
    assert_eq!(stolen.expect_err("taken").code(), Code::AlreadyExists);
    let request = v1::CreateAccountRequest {
        address: NUMBER.to_owned(),
    };
    let taken = accounts.create_account(request).await;
    assert_eq!(taken.expect_err("taken").code(), Code::AlreadyExists);
    let nobody = accounts.add_alias(alias("sip:x@h", "sip:y@h")).await;
    assert_eq!(nobody.expect_err("unknown").code(), Code::NotFound);
    let nobody = accounts.remove_alias(removal(BOB, "sip:y@h")).await;
    assert_eq!(nobody.expect_err("unknown").code(), Code::NotFound);
    for (address, alias) in [(carol, NUMBER), (BOB, BOB)] {
        let refused = accounts.remove_alias(removal(address, alias)).await;
        assert_eq!(
            refused.expect_err("not hers").code(),
            Code::FailedPrecondition
        );
    }
    let empty = accounts.add_alias(alias(BOB, "")).await;
    assert_eq!(empty.expect_err("empty").code(), Code::InvalidArgument);
    deposited(&service.client(), message_to(BOB, 1)).await;
    for address in [BOB, NUMBER] {
        let refused = accounts.delete_account(deletion(address)).await;
        assert_eq!(
            refused.expect_err("has mail").code(),
            Code::FailedPrecondition
        );
    }
}

#[tokio::test]
async fn pages_meet_every_account_once() {
    let service = listed();
    let mut accounts = service.accounts().await;
    let made: Vec<String> = (0..5).map(|n| format!("sip:u{n}@example.org")).collect();
    for address in &made {
        create(&mut accounts, address).await;
    }
    let mut request = v1::ListAccountsRequest {
        page_size: 2,
        ..Default::default()
    };
    let mut found = Vec::new();
    loop {
        let page = accounts.list_accounts(request.clone()).await;
        let page = page.expect("listed").into_inner();
        found.extend(page.accounts.into_iter().map(|account| account.address));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(found, made);
    request.page_token = "nonsense".to_owned();
    let refused = accounts.list_accounts(request).await;
    assert_eq!(refused.expect_err("no token").code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_account_is_found_by_its_alias() {
    let service = listed();
    let mut accounts = service.accounts().await;
    for address in ["sip:a@h", BOB, "sip:z@h"] {
        create(&mut accounts, address).await;
    }
    accounts.add_alias(alias(BOB, NUMBER)).await.expect("free");
    for (address, expected) in [(NUMBER, vec![BOB]), ("sip:nobody@h", vec![])] {
        let request = v1::ListAccountsRequest {
            address: address.to_owned(),
            ..Default::default()
        };
        let page = accounts.list_accounts(request).await.expect("listed");
        let found = page.into_inner().accounts.into_iter();
        let found: Vec<_> = found.map(|account| account.address).collect();
        assert_eq!(found, expected);
    }
}
