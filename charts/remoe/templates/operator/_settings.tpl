{{/* What the operator reads at /etc/remoe/operator.json; it refuses what it does not know. */}}
{{- define "remoe.settings" -}}
{{- $images := dict -}}
{{- range list "gateway" "main" "expert" "fetch" -}}
{{- $image := dict "image" (include "remoe.image" (dict "root" $ "key" .)) "pullPolicy" (index $.Values.image .).pullPolicy -}}
{{- $_ := set $images . $image -}}
{{- end -}}
{{- $gateway := dict
  "replicas" (int .Values.gateway.replicas)
  "resources" (include "remoe.resources" .Values.gateway.resources | fromJson)
  "service" .Values.gateway.service
  "drainSeconds" .Values.gateway.drainSeconds
  "lameDuckSeconds" .Values.gateway.lameDuckSeconds
-}}
{{- with .Values.gateway.url -}}
{{- $_ := set $gateway "url" . -}}
{{- end -}}
{{- dict
  "images" $images
  "imagePullSecrets" .Values.imagePullSecrets
  "operatorNamespace" .Release.Namespace
  "watchNamespaces" .Values.watchNamespaces
  "clusterDomain" .Values.clusterDomain
  "gateway" $gateway
  "fetch" (dict "resources" (include "remoe.resources" .Values.fetch.resources | fromJson))
  "pods" .Values.pods
  "networkPolicy" (pick .Values.networkPolicy "enabled" "metricsFrom")
  | toPrettyJson -}}
{{- end }}

{{/* Quantities as strings, whether they were written as 1 or "1". */}}
{{- define "remoe.resources" -}}
{{- $made := dict -}}
{{- range $kind, $quantities := . -}}
{{- $strings := dict -}}
{{- range $name, $quantity := $quantities -}}
{{- $_ := set $strings $name (toString $quantity) -}}
{{- end -}}
{{- $_ := set $made $kind $strings -}}
{{- end -}}
{{- $made | toJson -}}
{{- end }}
