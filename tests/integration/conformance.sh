#!/usr/bin/env bash
# HTTP as others see it: the table of malformed and ambiguous requests (tests/requests.txt) over the real interface, and
# where they are installed nginx with the same table, h1spec and REDbot. docs/http-conformance.md has what they say.
#
# H1SPEC and REDBOT are the programs, where these are not on the path.
set -u
. "$(dirname "$0")/support/longwire.sh"

: "${H1SPEC:=h1spec}" "${REDBOT:=redbot}"
NGINX_VERSION=1.22 # the one that the table's lines for nginx are about
NOT_RUN=()
missing() { NOT_RUN+=("$1"); }

ns_add one
server one server --tun lw0

table() { in_ns one timeout 50 python3 tests/integration/support/requests.py "$@"; }
check "every request of the table gets what it is due" table $V4 80
check "over IPv6, too" table $V6 80
check "bad requests are counted" metric_above one 'http_reasons_total{reason="bad_request"}' 300

# --- nginx, by the same table -------------------------------------------------------------------------------------

nginx_version() { "$NGINX" -v 2>&1 | sed -n 's|.*/\([0-9]*\.[0-9]*\)\..*|\1|p'; }
start_nginx() {
    local home
    home=$(scratch nginx)
    mkdir -p "$home/site/bytes" "$home/tmp"
    echo ok >"$home/site/healthz"
    echo welcome >"$home/site/index.html"
    head -c 10 /dev/zero >"$home/site/bytes/10"
    head -c 1000 /dev/zero >"$home/site/bytes/1000"
    # It runs as one process of ours; a second server reads the bodies that the first one has taken apart.
    cat >"$home/nginx.conf" <<CONF
daemon off; master_process off; pid $home/pid; error_log $home/error.log;
events { worker_connections 500; }
http {
    access_log off;
    client_body_temp_path $home/tmp; proxy_temp_path $home/tmp; fastcgi_temp_path $home/tmp;
    uwsgi_temp_path $home/tmp; scgi_temp_path $home/tmp;
    server { listen 127.0.0.1:80; root $home/site; location = /sha256 { proxy_pass http://127.0.0.1:81; } }
    server { listen 127.0.0.1:81; location / { return 200 "read\n"; } }
}
CONF
    in_ns one background nginx "$NGINX" -p "$home" -c "$home/nginx.conf"
    wait_for_port one 127.0.0.1 80
}
NGINX=$(PATH=$PATH:/usr/sbin command -v nginx)
if [ -z "$NGINX" ]; then
    missing "nginx is not installed (Debian's nginx-light will do)"
elif [ "$(nginx_version)" != $NGINX_VERSION ]; then
    missing "nginx is $(nginx_version), and the table is about $NGINX_VERSION"
else
    start_nginx || die "nginx does not start: $(cat "$(errors nginx)" "$(scratch nginx)/error.log")"
    check "nginx differs from us where the table says so, and nowhere else" table 127.0.0.1 80 --nginx
fi

# --- h1spec -------------------------------------------------------------------------------------------------------

h1spec() { # ADDRESS: all of it, the strict ones too
    in_ns one timeout 55 "$H1SPEC" --strict "$1" >"$(scratch h1spec)" 2>&1
    local status=$?
    cat "$(scratch h1spec)"
    ((status == 0)) && grep -qE '([0-9]+)/\1 passed' "$(scratch h1spec)"
}
if type -P "$H1SPEC" >/dev/null; then # the program, not the function above
    check "h1spec finds nothing wrong" h1spec $V4:80
    check "nor over IPv6" h1spec "[$V6]:80"
    printf 'h1spec: %s\n' "$(grep -oE '[0-9]+/[0-9]+ passed' "$(scratch h1spec)")"
else
    missing "h1spec is not installed (H1SPEC=$H1SPEC)"
fi

# --- REDbot -------------------------------------------------------------------------------------------------------

# redbot URL: no note of its that is bad or a warning, and those that say that conditions and ranges work. It asks by
# itself with validators, for a range, and for compression.
redbot() {
    local file
    file=$(scratch redbot.har)
    in_ns two timeout 50 "$REDBOT" -o har "$1" >"$file" || return
    python3 - "$file" "${@:2}" <<'PYTHON'
import json, sys
path, *wanted = sys.argv[1:]
notes = [note for entry in json.load(open(path))["log"]["entries"] for note in entry["_red_messages"]]
for note in notes:
    print(note["level"], note["note_id"], note["summary"])
wrong = [note["summary"] for note in notes if note["level"] not in ("GOOD", "INFO")]
lacking = set(wanted) - {note["note_id"] for note in notes}
print(len(notes), "notes; wrong:", wrong, "lacking:", lacking)
sys.exit(bool(wrong or lacking or not notes))
PYTHON
}
if type -P "$REDBOT" >/dev/null; then
    site=$(scratch site)
    mkdir "$site"
    chmod 711 "$NS_DIR"
    yes '<p>some text of a page' | head -n 2000 >"$site/page.html"
    gzip -k "$site/page.html"
    head -c 100000 /dev/urandom >"$site/data.bin"
    touch -d '2 days ago' "$site"/*
    ns_add two
    server two files "$site" --tun lw0
    check "REDbot finds nothing wrong with a file: validators and ranges work" \
        redbot "http://$V4/data.bin" INM_304 IMS_304 RANGE_CORRECT CL_CORRECT
    check "nor with one that is there in gzip, too" redbot "http://$V4/page.html" INM_304 IMS_304 RANGE_CORRECT CONNEG_GZIP_GOOD
    check "nor with one that is not there" redbot "http://$V4/nothing"
else
    missing "REDbot is not installed (REDBOT=$REDBOT)"
fi

for reason in "${NOT_RUN[@]}"; do printf 'not run: %s\n' "$reason"; done
summary
