# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# examples/kubernetes without a cluster: what the manifests say, and then their containers run by
# Docker with what the kubelet would give them.

manifest() { yq . "$top/examples/kubernetes/$1"; }

# Each line a condition on a Deployment, with every container of its pod in $containers.
deployment_rules='
.apiVersion == "apps/v1" and .kind == "Deployment"
.spec.selector.matchLabels as $labels | .spec.template.metadata.labels | contains($labels)
.spec.template.spec | .automountServiceAccountToken == false and .enableServiceLinks == false
.spec.template.spec | [.hostNetwork, .hostPID, .hostIPC, .shareProcessNamespace] | any | not
.spec.template.spec.securityContext | .runAsNonRoot == true and .runAsUser == 1001 and .runAsGroup == 1001
.spec.template.spec.securityContext.seccompProfile.type == "RuntimeDefault"
$containers | length == 2
$containers | all(.securityContext == {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
$containers | all(.resources.limits.cpu != null and .resources.limits.memory != null)
$containers | all(.image | test("^[a-z-]+@sha256:"))
[$containers[].env // [] | .[] | select(.name | test("_FILE$") | not)] == []
[.spec.template.spec.volumes[] | keys - ["name"] | .[]] - ["emptyDir", "secret"] == []
[.spec.template.spec.volumes[] | select(.name == "secrets") | .emptyDir.medium] == ["Memory"]
[.spec.template.spec.volumes[] | .emptyDir // empty | .sizeLimit] | all
[.spec.template.spec.volumes[] | .secret // empty | .defaultMode] == [256]
[.spec.template.spec.volumes[].name] as $names | [$containers[].volumeMounts[].name] - $names == []
'

kubernetes_is_hardened() {
	local file rule
	for file in fetch.yaml run.yaml; do
		manifest "$file" >"$work/manifest"
		while read -r rule; do
			[[ -z $rule ]] || jq -e ".spec.template.spec as \$pod |
				(\$pod.initContainers + \$pod.containers) as \$containers | $rule" \
				"$work/manifest" >/dev/null || fail "$file: not so: $rule"
		done <<<"$deployment_rules"
	done
}

# The policy holds for the pods of both, lets them reach the store and a resolver, and no more.
kubernetes_is_isolated() {
	manifest network-policy.yaml >"$work/manifest"
	jq -e '.kind == "NetworkPolicy" and .spec.policyTypes == ["Ingress", "Egress"] and
		([.spec.egress[].ports[].port] == [8443, 53, 53]) and
		([.spec.egress[].to[].namespaceSelector.matchLabels] | all) and
		([.spec.ingress[].ports[].port] == [8080])' "$work/manifest" >/dev/null ||
		fail "$(cat "$work/manifest")"
	[[ $(jq -c .spec.podSelector.matchLabels "$work/manifest") == \
		$(manifest run.yaml | jq -c .spec.selector.matchLabels) ]] || fail 'for other pods'
}

# The volumes as the kubelet makes them for fsGroup: emptyDir 2777, a Secret's files behind a link.
pod_make_volumes() {
	pod_dir=$memory/$1
	pod_disk=$work/$1
	mkdir -p "$pod_dir/identity/..now"
	install -d -g "$user" -m 2777 "$pod_dir/secrets" "$pod_disk/agent"
	install -g "$user" -m 0440 "$work/pod.pem" "$pod_dir/identity/..now/identity.pem"
	ln -s ..now "$pod_dir/identity/..data"
	ln -s ..data/identity.pem "$pod_dir/identity/identity.pem"
}

# pod_run FILE LIST [DOCKER-OPTION]...: the first container of a list.
pod_run() {
	local arguments=() images
	images=$(jq -nc --arg agent "$(image agent)" --arg app "$(image app)" \
		'{"tacit-agent": $agent, "my-app": $app}')
	mapfile -t arguments < <(manifest "$1" | jq .spec.template.spec | jq -r -f "$here/kubernetes.jq" \
		--arg list "$2" --arg memory "$pod_dir" --arg disk "$pod_disk" --argjson images "$images")
	((${#arguments[@]} > 5)) || fail 'no such container'
	docker run --label "$engine_label" --pids-limit=100 "${@:3}" "${arguments[@]}"
}

pod_prepare() {
	[[ -e $work/pod.pem ]] || {
		tacit put pod/db_password --from-file "$work/value/db_password"
		make_identity pod 'pod/*'
	}
	pod_make_volumes "$1"
}

pod_fetches() {
	local name
	name=$(container pod-fetch)
	pod_prepare pod-fetch
	pod_run fetch.yaml initContainers --rm --network "$(network)"
	[[ $(stat -c %a "$pod_dir/secrets/app") == 700 ]] || fail "$(ls -la "$pod_dir/secrets")"
	pod_run fetch.yaml containers -d --name "$name" --network none
	check_app "$name" /run/secrets/app/db_password
	docker rm -f "$name"
}

pod_file_is() { cmp -s "$work/value/$2" "/proc/$(container_state "$1" Pid)/root/run/secrets/app/db_password"; }

pod_runs_and_renews() {
	local name
	name=$(container pod-run)
	pod_prepare pod-run
	pod_run run.yaml initContainers --rm --network none
	pod_run run.yaml containers -d --name "$name" --network "$(network)"
	check_app "$name" /run/secrets/app/db_password
	tacit put pod/db_password --from-file "$work/value/blob"
	wait_until 10 pod_file_is "$name" blob || fail 'not renewed'
	tacit put pod/db_password --from-file "$work/value/db_password"
	docker rm -f "$name"
}
