/** Values that are worth a look, by what they are for. */
export const matrix = {
  'a first try': {},
  'a single replica of each, without policies': {
    controller: { replicas: 1 },
    api: { replicas: 1 },
    networkPolicy: { enabled: false },
  },
  'AWS with the identity of its node': {
    settings: { SKYCLUST_PROVIDERS: 'aws' },
    controller: {
      settings: { SKYCLUST_AMBIENT_CREDENTIALS: true },
      serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::123456789012:role/skyclust' } },
    },
  },
  'many replicas that share the work': {
    controller: { replicas: 4, settings: { SKYCLUST_SHARDS: 4, SKYCLUST_SYNC_INTERVAL: '2m' } },
  },
  'an older cluster': { api: { impersonation: 'Legacy' } },
  'a Gateway': {
    api: {
      httpRoute: { enabled: true, parentRefs: [{ name: 'public', namespace: 'gateways' }], hostnames: ['s.example'] },
    },
  },
  everything: {
    image: { repository: 'registry.example/skyclust', digest: `sha256:${'a'.repeat(64)}`, pullPolicy: 'Always' },
    imagePullSecrets: [{ name: 'registry' }],
    tofu: { image: { tag: '1.2.3' } },
    settings: { SKYCLUST_LOG_LEVEL: 'debug', SKYCLUST_PROVIDERS: 'aws,gcp' },
    controller: {
      replicas: 3,
      settings: {
        SKYCLUST_ORPHANS: 'delete',
        SKYCLUST_ORPHAN_GRACE: '2h',
        SKYCLUST_TOFU_PARALLEL: 8,
        SKYCLUST_TOFU_DISK: '8Gi',
        SKYCLUST_TOFU_CPU: 4,
      },
      podAnnotations: { 'example.com/a': 'b' },
      podLabels: { team: 'platform' },
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ key: 'dedicated', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      priorityClassName: 'system-cluster-critical',
      extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy.example:3128' }],
    },
    api: {
      replicas: 3,
      settings: {
        SKYCLUST_LOCALE: 'en',
        SKYCLUST_REGISTRATION: 'closed',
        SKYCLUST_TOKEN_TTL: '12h',
        SKYCLUST_USER_RATE: 100,
      },
      admin: { email: 'admin@example.com' },
      prices: { provider: 'aws', date: '2026-11-01', types: { 'm5.large': { 'us-east-1': 0.081 } } },
      oidc: {
        'corp-sso': {
          issuer: 'https://login.example.com',
          clientId: 'skyclust',
          redirectUri: 'https://skyclust.example.com/login',
          clientSecret: { name: 'sso', key: 'secret' },
          scopes: 'openid email groups',
          groups: ['platform', 'research'],
          groupsClaim: 'groups',
          registration: 'open',
        },
      },
      service: { type: 'LoadBalancer', port: 8080, annotations: { 'example.com/lb': 'internal' } },
      ingress: {
        enabled: true,
        className: 'nginx',
        host: 'skyclust.example.com',
        tlsSecret: 'skyclust-tls',
        annotations: { 'cert-manager.io/cluster-issuer': 'letsencrypt' },
      },
      httpRoute: { enabled: true, parentRefs: [{ name: 'public', namespace: 'gateways', sectionName: 'https' }] },
    },
    networkPolicy: {
      apiFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
      metricsFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
      extraEgress: [{ ports: [{ protocol: 'TCP', port: 3128 }] }],
    },
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    prometheusRule: { enabled: true, runbookUrl: 'https://runbooks.example.com' },
    grafanaDashboard: { enabled: true },
    argocd: { healthChecks: true },
  },
} as const
