use std::os::unix::fs::PermissionsExt;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::*;

fn ca_pem() -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// A plan whose allow-list names a certificate beside it.
fn plan(folder: &Path) -> Plan {
    std::fs::write(folder.join("vendor.pem"), ca_pem()).unwrap();
    let list = "[[model]]\naaguid = \"0a0b0c0d-0000-4000-8000-000000000001\"\n\
                model = \"Example\"\nlevel = \"B1\"\nca = \"vendor.pem\"\n";
    std::fs::write(folder.join("list.toml"), list).unwrap();
    Plan {
        dir: folder.join("site"),
        listen: "127.0.0.1:0".parse().unwrap(),
        site_name: "Test".to_owned(),
        producer_name: "Producer".to_owned(),
        names: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
        origin: None,
        oidc_issuer: "https://issuer.example/\"x".to_owned(),
        oidc_client_id: "sekisho".to_owned(),
        oidc_client_secret_file: None,
        oidc_ca_file: None,
        steward_name: "Steward".to_owned(),
        steward_subject: "steward".to_owned(),
        authenticators: folder.join("list.toml"),
        database: None,
    }
}

/// A new site in `folder`; the path of its configuration.
pub(crate) async fn site(folder: &Path) -> PathBuf {
    let made = init(plan(folder)).await.unwrap();
    PathBuf::from(made["config"].as_str().unwrap())
}

#[tokio::test]
async fn a_new_site_can_be_opened_and_nobody_else_can_look_in() {
    let folder = tempfile::tempdir().unwrap();
    let made = init(plan(folder.path())).await.unwrap();
    assert!(!made["invitation"].as_str().unwrap().is_empty());
    let config = Config::load(Path::new(made["config"].as_str().unwrap())).unwrap();
    assert_eq!(
        (config.app.rp_id.as_str(), config.app.origin.as_str()),
        ("localhost", "https://localhost")
    );
    let site = folder.path().join("site");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&site), 0o700);
    for secret in
        ["tls/server.key.pem", "keys/checkpoint.pem", "keys/ticket.pem", "vault/root-1.key"]
    {
        assert_eq!(mode(&site.join(secret)), 0o600, "{secret}");
    }
    crate::tls::server_config(&config).unwrap();
    // The list was taken in whole: what it was made from may go.
    std::fs::remove_file(folder.path().join("vendor.pem")).unwrap();
    App::open(config.app, Arc::new(SystemClock)).await.unwrap();
}

#[tokio::test]
async fn a_folder_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    std::fs::create_dir(&plan.dir).unwrap();
    std::fs::write(plan.dir.join("thesis.txt"), "mine").unwrap();
    assert!(init(plan.clone()).await.is_err());
    let left: Vec<_> = std::fs::read_dir(&plan.dir).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn plans_that_cannot_work_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let good = plan(folder.path());
    let no_name = Plan { names: vec!["192.0.2.1".to_owned()], ..good.clone() };
    let no_list = Plan { authenticators: folder.path().join("missing"), ..good.clone() };
    for bad in [no_name, no_list] {
        assert!(init(bad).await.is_err());
        assert!(!good.dir.exists());
    }
}

#[test]
fn whatever_stands_in_a_plan_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { oidc_client_id: "a\"\nlisten = \"b".to_owned(), ..plan(folder.path()) };
    let config = Config::parse(&config_text(&plan, "localhost"), folder.path());
    assert!(config.is_ok_and(|config| config.app.oidc.client_id == plan.oidc_client_id));
}
