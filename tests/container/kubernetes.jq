# SPDX-License-Identifier: MIT
# The arguments of `docker run` that do to a container what its pod's spec says, one a line.
# Input: the pod's spec. $list: containers or initContainers. $memory and $disk: where the volumes
# are. $images: the image for each name.
def cpus: if endswith("m") then (rtrimstr("m") | tonumber / 1000) else tonumber end;
def bytes: if endswith("Mi") then (rtrimstr("Mi") | tonumber * 1048576) else error(.) end;
def volume($pod): . as $name | $pod.volumes[] | select(.name == $name) |
  if .secret or .emptyDir.medium == "Memory" then "\($memory)/\($name)" else "\($disk)/\($name)" end;

. as $pod | .[$list][0] as $container | $container.securityContext as $locked |
[
  "--user=\($pod.securityContext.runAsUser):\($pod.securityContext.runAsGroup)",
  "--group-add=\($pod.securityContext.fsGroup)",
  (if $locked.readOnlyRootFilesystem then "--read-only" else empty end),
  (if $locked.allowPrivilegeEscalation == false then "--security-opt=no-new-privileges" else empty end),
  ($locked.capabilities.drop[] | "--cap-drop=\(.)"),
  "--cpus=\($container.resources.limits.cpu | cpus)",
  "--memory=\($container.resources.limits.memory | bytes)",
  (($container.env // [])[] | "--env=\(.name)=\(.value)"),
  ($container.volumeMounts[] |
    "--mount=type=bind,src=\(.name | volume($pod)),dst=\(.mountPath)" + (if .readOnly then ",readonly" else "" end)),
  (if $container.command then "--entrypoint=\($container.command[0])" else empty end),
  $images[$container.image | split("@")[0]],
  (($container.command // [])[1:] + ($container.args // []))[]
][]
