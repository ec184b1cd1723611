use axum::http::Request;

use super::*;

/// The origin of a request from this peer with these headers, `Host: inside:8080` among them.
fn origin(peer: &str, headers: &[(&str, &str)]) -> String {
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
    let origins = Origins { public_url: None, trusted_proxies };
    let mut request = Request::builder().uri("/scim/acme/v2/Users").header("host", "inside:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let peer: IpAddr = peer.parse().unwrap();
    parts.extensions.insert(ConnectInfo(SocketAddr::new(peer, 50_000)));
    origins.of(&parts).unwrap()
}

#[test]
fn a_trusted_proxy_is_believed_and_nobody_else() {
    let headers = [("x-forwarded-proto", "https"), ("x-forwarded-host", "scim.example.com")];
    assert_eq!(origin("10.1.2.3", &headers), "https://scim.example.com");
    assert_eq!(origin("::ffff:127.0.0.1", &headers), "https://scim.example.com");
    assert_eq!(origin("192.0.2.1", &headers), "http://inside:8080");
    assert_eq!(origin("::1", &headers), "http://inside:8080");
    let forwarded = [("forwarded", "for=192.0.2.43;proto=https;host=scim.example.com")];
    assert_eq!(origin("10.1.2.3", &forwarded), "https://scim.example.com");
    assert_eq!(origin("192.0.2.1", &forwarded), "http://inside:8080");
}

#[test]
fn what_a_proxy_leaves_unsaid_is_as_the_request_has_it() {
    let check = |headers: &[(&str, &str)], expected: &str| {
        assert_eq!(origin("127.0.0.1", headers), expected, "{headers:?}");
    };
    check(&[], "http://inside:8080");
    check(&[("x-forwarded-proto", "HTTPS")], "https://inside:8080");
    check(&[("forwarded", "proto=https")], "https://inside:8080");
    check(&[("x-forwarded-host", "a.example"), ("x-forwarded-port", "8443")], "http://a.example:8443");
    check(
        &[("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example"), ("x-forwarded-port", "443")],
        "https://a.example",
    );
    check(&[("x-forwarded-host", "a.example:81"), ("x-forwarded-port", "8443")], "http://a.example:81");
    check(&[("x-forwarded-host", "made.up, a.example")], "http://a.example");
    check(&[("forwarded", "Host=\"[2001:DB8::1]:8443\"; Proto=https")], "https://[2001:db8::1]:8443");
}

#[test]
fn of_a_chain_of_proxies_the_one_counts_that_the_client_has_spoken_to() {
    let check =
        |value: &str, expected: &str| assert_eq!(origin("127.0.0.1", &[("forwarded", value)]), expected, "{value}");
    // The client made the first element up; the second is of the proxy at the edge, the third of the one inside.
    let made_up = "for=10.0.0.1;host=evil.example";
    let edge = "for=\"198.51.100.17:4711\";host=scim.example.com;proto=https";
    let inside = "for=10.0.0.2;host=inside.example";
    check(&format!("{made_up}, {edge}, {inside}"), "https://scim.example.com");
    check(&format!("{made_up}, for=_hidden;host=scim.example.com"), "http://scim.example.com");
    check(inside, "http://inside.example");
}

#[test]
fn a_value_that_is_malformed_is_not_believed_by_half() {
    for value in [
        "proto=https;host=\"a b\"",
        "proto=https;host=a.example/path",
        "proto=https;host=user@a.example",
        "proto=https;host=a.example;host=b.example",
        "proto=https;host=\"a.example",
        "proto=https;host=a.example;=x",
        "proto=gopher;host=a.example",
        "host=a.example;proto",
        "host=\"a.example:99999\";proto=https",
        "host=\"a.example:+80\";proto=https",
        "host=\"[::1\";proto=https",
    ] {
        assert_eq!(origin("127.0.0.1", &[("forwarded", value)]), "http://inside:8080", "{value}");
    }
    for (name, value) in [("x-forwarded-host", "a\"b"), ("x-forwarded-proto", "https://"), ("x-forwarded-port", "http")]
    {
        let headers = [("x-forwarded-host", "a.example"), ("x-forwarded-proto", "https"), (name, value)];
        assert_eq!(origin("127.0.0.1", &headers), "http://inside:8080", "{name}: {value}");
    }
}

#[test]
fn two_ways_of_saying_it_that_contradict_each_other_are_both_passed_over() {
    let check = |forwarded: &str, expected: &str| {
        let headers = [("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example"), ("forwarded", forwarded)];
        assert_eq!(origin("127.0.0.1", &headers), expected, "{forwarded}");
    };
    check("host=a.example", "https://a.example");
    check("host=evil.example", "http://inside:8080");
    check("proto=http", "http://inside:8080");
}
