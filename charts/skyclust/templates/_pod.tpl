{{/*
The pod of one process, under the restricted Pod Security Standard. Given: root, name, values (of the process), main, ports (name, containerPort),
env (YAML of entries that the chart decides), preStop (optional), config (optional: a ConfigMap, at /etc/skyclust; its text, of which a change
rolls the pods).
*/}}
{{- define "skyclust.podTemplate" -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "skyclust.selector" .name | nindent 4 }}
    {{- include "skyclust.labels" $root | nindent 4 }}
    {{- with .values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ .container }}
    {{- with .config }}
    checksum/config: {{ sha256sum .text }}
    {{- end }}
    {{- with .values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ .name }}
  enableServiceLinks: false
  # A drain takes 20 s at most, after the wait that `preStop` asks for.
  terminationGracePeriodSeconds: 30
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "skyclust.selector" $.name | nindent 10 }}
      # Old and new pods of a rollout are not counted together.
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .container }}
      image: {{ include "skyclust.image" (dict "root" $root "image" $root.Values.image) }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [{{ .main }}]
      env:
        {{- .env | nindent 8 }}
        {{- include "skyclust.settings" (merge (dict) .values.settings $root.Values.settings) | nindent 8 }}
        {{- with .values.extraEnv }}{{ toYaml . | nindent 8 }}{{ end }}
      ports:
        {{- range .ports }}
        - {name: {{ .name }}, containerPort: {{ .port }}}
        {{- end }}
      startupProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 5
        timeoutSeconds: 3
      {{- with .preStop }}
      lifecycle:
        preStop: {{- toYaml . | nindent 10 }}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources: {{ toYaml .values.resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- with .config }}
        - {name: config, mountPath: /etc/skyclust, readOnly: true}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- with .config }}
    - name: config
      configMap: {name: {{ .name }}}
    {{- end }}
{{- end }}

{{/* Entries of `env` from a map of settings, sorted. */}}
{{- define "skyclust.settings" -}}
{{- range $name, $value := . }}
{{- include "skyclust.checkSetting" (dict "name" $name "value" $value) }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{/* What the schema cannot say in words that help: durations. The programs check everything again when they start. */}}
{{- define "skyclust.checkSetting" -}}
{{- $durations := list "SKYCLUST_SYNC_INTERVAL" "SKYCLUST_ORPHAN_GRACE" "SKYCLUST_TOFU_CANCEL_GRACE" "SKYCLUST_TOFU_CPU_TIME" "SKYCLUST_TOKEN_TTL" "SKYCLUST_SIGNING_KEY_ROTATION" -}}
{{- if has .name $durations -}}
{{- if not (regexMatch "^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$" (toString .value)) -}}
{{- fail (printf "settings: %s: %q is no duration; write a number and a unit (ms, s, m, h, d), such as 30s or 1h30m" .name (toString .value)) -}}
{{- end -}}
{{- end -}}
{{- end }}
