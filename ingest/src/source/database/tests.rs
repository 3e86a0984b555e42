use super::*;

fn config(keys: &str) -> DatabaseConfig {
    toml::from_str(keys).unwrap()
}

fn fault(keys: &str) -> Option<String> {
    config(keys).fault()
}

fn environment(name: &str) -> Option<String> {
    Some(match name {
        "PLAIN" => "postgres://reader:hush@db.example:5433/safety".to_owned(),
        "ODD" => "postgres://read%40er:p+a%2Fs&s=%3F@[::1]/%E5%AE%89".to_owned(),
        "EXTRA" => "postgres://reader:hush@db.example/safety?sslmode=disable".to_owned(),
        "OTHER" => "mysql://reader:hush@db.example/safety".to_owned(),
        _ => return None,
    })
}

fn address(keys: &str) -> Result<Address> {
    config(keys).address(["postgres", "postgresql"], Path::new("."), environment)
}

#[test]
fn the_place_is_said_once_and_the_password_by_reference() {
    let table = "table = 'safety.policy'\n";
    for sound in [
        "url_env = 'DB'",
        "url_file = 'secrets/db'",
        "host = 'h'\ndatabase = 'd'\nuser = 'u'",
        "host = 'h'\nport = 5433\ndatabase = 'd'\nuser = 'u'\npassword_env = 'P'\ntls = 'verify'\ntls_ca_file = 'ca.pem'",
    ] {
        assert_eq!(fault(&format!("{table}{sound}")), None, "{sound}");
    }
    for wrong in [
        "",
        "url_env = 'DB'\nurl_file = 'secrets/db'",
        "url_env = 'DB'\nuser = 'u'",
        "host = 'h'\nuser = 'u'",
        "host = 'h'\ndatabase = 'd'\nuser = 'u'\npassword_env = 'P'\npassword_file = 'p'",
        "url_env = 'DB'\ntls_ca_file = 'ca.pem'",
    ] {
        assert!(fault(&format!("{table}{wrong}")).is_some(), "{wrong}");
    }
    assert!(toml::from_str::<DatabaseConfig>("url = 'postgres://u:p@h/d'\ntable = 't'").is_err());
    assert!(toml::from_str::<DatabaseConfig>("url_env = 'DB'\ntable = 't'\npassword = 'hush'").is_err());
}

#[test]
fn one_table_or_one_select_is_read() {
    let place = "url_env = 'DB'\n";
    assert_eq!(fault(&format!("{place}query = 'select 1 as one'")), None);
    for wrong in
        ["", "table = 't'\nquery = 'select 1'", "table = 'a.b.c'", "table = 'a.'", "query = 'select 1; drop table t'"]
    {
        assert!(fault(&format!("{place}{wrong}")).is_some(), "{wrong}");
    }
}

#[test]
fn an_address_is_read_with_its_escapes_and_shows_nothing_when_it_is_wrong() {
    let plain = address("url_env = 'PLAIN'\ntable = 't'").unwrap();
    assert_eq!((plain.host.as_str(), plain.port, plain.user.as_str()), ("db.example", Some(5433), "reader"));
    assert_eq!(
        (plain.database.as_str(), plain.password.unwrap().reveal(), plain.tls),
        ("safety", "hush", Tls::Require)
    );
    let odd = address("url_env = 'ODD'\ntable = 't'").unwrap();
    assert_eq!((odd.host.as_str(), odd.user.as_str(), odd.database.as_str()), ("::1", "read@er", "安"));
    assert_eq!((odd.password.unwrap().reveal(), odd.tls), ("p+a/s&s=?", Tls::Prefer));
    for wrong in ["EXTRA", "OTHER"] {
        let Err(error) = address(&format!("url_env = '{wrong}'\ntable = 't'")) else { panic!("{wrong} was read") };
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains(wrong) && !error.to_string().contains("hush"), "{error}");
    }
}

#[test]
fn names_are_quoted_and_the_cursor_bounds_the_read() {
    let table = config("url_env = 'DB'\ntable = 'safe\"ty.policy'\ncursor = { column = 'changed', lag = '2d' }");
    assert_eq!(table.statement('"', None), "select * from \"safe\"\"ty\".\"policy\"");
    assert_eq!(
        table.statement('"', Some("'2026-01-01'")),
        "select * from (\nselect * from \"safe\"\"ty\".\"policy\"\n) as \"within\" \
         where \"changed\" >= '2026-01-01' or \"changed\" is null"
    );
    let query = config("url_env = 'DB'\nquery = 'select * from t -- all'\ncursor = { column = 'c`d' }");
    assert_eq!(
        query.statement('`', Some("7")),
        "select * from (\nselect * from t -- all\n) as `within` where `c``d` >= 7 or `c``d` is null"
    );
}

#[test]
fn a_position_is_written_as_the_clocks_of_the_feed_show_it() {
    let zone = chrono_tz::Asia::Shanghai;
    let instant = Position::parse("2026-02-27T16:00:00.5Z").unwrap();
    assert_eq!(literal(instant, zone, Offset::Written), "'2026-02-28 00:00:00.500000+08:00'");
    assert_eq!(literal(instant, zone, Offset::OfSession), "'2026-02-28 00:00:00.500000'");
    assert_eq!(literal(Position::parse("2026-02-28").unwrap(), zone, Offset::Written), "'2026-02-28'");
    assert_eq!(literal(Position::parse("-7").unwrap(), zone, Offset::Written), "-7");
}
