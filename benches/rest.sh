# What by-hand.sh and bare.sh share: Flink's REST API through `kubectl proxy`, polled every 200 ms, and the telling of phases.
# Sourced, not run. Of the cluster: services NAME-jobmanager, port 8081, in the current namespace.
set -euo pipefail

# Where savepoints go.
savepoints=file:///flink-storage/by-hand

exec {served}< <(exec kubectl proxy --port=0)
serving_process=$!
trap 'kill $serving_process' EXIT
read -r line <&"$served"
namespace=$(kubectl config view --minify -o 'jsonpath={..namespace}')
proxy=http://${line##* }/api/v1/namespaces/$namespace/services

# phase WORDS…: what was done, and how many milliseconds it took.
last=$(date +%s%3N)
phase() {
  local at
  at=$(date +%s%3N)
  printf '    %6d ms  %s\n' $((at - last)) "$*" >&2
  last=$at
}

# rest METHOD CLUSTER PATH [BODY]: Flink's answer.
rest() {
  curl --silent --fail --noproxy '*' --request "$1" --header 'content-type: application/json' ${4:+--data "$4"} \
    "$proxy/$2-jobmanager:8081/proxy$3"
}

# says CLUSTER PATH TEXT: waits until the answer holds the text; prints the answer.
says() {
  local answer
  until answer=$(rest GET "$1" "$2") && [[ $answer == *"$3"* ]]; do
    if [ "$SECONDS" -gt 300 ]; then
      printf '%s of %s does not say %s; it says: %s\n' "$2" "$1" "$3" "${answer:-nothing}" >&2
      exit 1
    fi
    sleep 0.2
  done
  printf '%s\n' "$answer"
}

# field NAME: the string of that name in the JSON on stdin.
field() {
  sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'
}

# program CLASS: the body that runs that class of the test job, less its closing brace.
program() {
  printf '{"entryClass":"%s","parallelism":2,"programArgsList":["--name","by-hand","--rate","50"]' "$1"
}

# stop CLUSTER JOB: with a savepoint; prints its path.
stop() {
  local trigger answer
  trigger=$(rest POST "$1" "/jobs/$2/stop" '{"targetDirectory":"'$savepoints'","drain":false}' | field request-id)
  answer=$(says "$1" "/jobs/$2/savepoints/$trigger" '"COMPLETED"')
  field location <<<"$answer"
}

# start CLUSTER CLASS [SAVEPOINT]: prints the new job's id.
start() {
  rest POST "$1" "/jars/$1_counter.jar/run" "$(program "$2")${3:+,\"savepointPath\":\"$3\"}}" | field jobid
}
