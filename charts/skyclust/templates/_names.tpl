{{/* Names are not derived from the release: roles and policies are bound by name, and there is one installation in a cluster. */}}

{{- define "skyclust.labels" -}}
app.kubernetes.io/part-of: skyclust
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Of one process: {name: skyclust-api}. */}}
{{- define "skyclust.selector" -}}
app.kubernetes.io/name: {{ . }}
{{- end }}

{{- define "skyclust.image" -}}
{{- $image := .image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "skyclust.impersonation" -}}
{{- if eq .Values.api.impersonation "Auto" -}}
{{ semverCompare ">=1.36.0-0" .Capabilities.KubeVersion.Version | ternary "Constrained" "Legacy" }}
{{- else -}}
{{ .Values.api.impersonation }}
{{- end -}}
{{- end }}

{{- define "skyclust.adminSecret" -}}
{{ .Values.api.admin.existingSecret | default "skyclust-admin-password" }}
{{- end }}
