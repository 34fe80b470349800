{{/* Names and labels. Several releases may share a namespace. */}}

{{- define "cache.selector" -}}
app.kubernetes.io/name: {{ .kind }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "cache.labels" -}}
{{ include "cache.selector" . }}
app.kubernetes.io/part-of: api-read-cache
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Labels of an object that belongs to no kind of process. */}}
{{- define "cache.commonLabels" -}}
{{- include "cache.labels" (dict "root" . "kind" "api-read-cache") }}
{{- end }}

{{/* A value of a ConfigMap: whole numbers without an exponent. */}}
{{- define "cache.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else -}}{{ . }}{{- end -}}
{{- end }}

{{/* The name of a secret: the chart's own, the existing one, or nothing. */}}
{{- define "cache.secret" -}}
{{- $secret := index .root.Values.secrets .name -}}
{{- if $secret.values }}{{ .root.Release.Name }}-{{ .name }}{{ else }}{{ $secret.existing }}{{ end -}}
{{- end }}
