{{/*
What the deployments of all kinds of process have in common.

cache.podMetadata, cache.pod and cache.container take a dict: root, kind, values (of that kind).
*/}}

{{- define "cache.podMetadata" -}}
labels:
  {{- include "cache.labels" . | nindent 2 }}
annotations:
  checksum/settings: {{ toYaml .root.Values.settings | sha256sum }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "cache.pod" -}}
serviceAccountName: {{ .root.Release.Name }}-{{ .kind }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* If a machine or a zone is lost, only some pods are lost with it. */}}
{{- define "cache.spread" -}}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "cache.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "cache.container" -}}
name: {{ .kind }}
image: {{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
envFrom:
  - configMapRef:
      name: {{ .root.Release.Name }}-settings
  - secretRef:
      name: {{ include "cache.secret" (dict "root" .root "name" "redis") | required "secrets.redis: name an existing secret, or give values" }}
{{- end }}

{{/* A disruption budget: nodes are drained one after the other. */}}
{{- define "cache.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .root.Release.Name }}-{{ .kind }}
  labels:
    {{- include "cache.commonLabels" .root | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "cache.selector" . | nindent 6 }}
{{- end }}

{{/* The head of an autoscaler, up to its metrics. */}}
{{- define "cache.autoscaler" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .root.Release.Name }}-{{ .kind }}
  labels:
    {{- include "cache.commonLabels" .root | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .root.Release.Name }}-{{ .kind }}
  minReplicas: {{ .values.autoscaling.minReplicas }}
  maxReplicas: {{ .values.autoscaling.maxReplicas }}
{{- end }}
