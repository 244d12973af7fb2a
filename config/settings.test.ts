import { describe, expect, it } from 'vitest'
import { readSettings, type Settings, setting, settingFamily, shownSettings } from './settings.ts'
import { duration, flag, listOf, port, text, url } from './value-schemas.ts'

const settings = {
  syncInterval: setting('SYNC_INTERVAL', { schema: duration({ min: '1s' }), default: '60s', help: 'How often.' }),
  metricsPort: setting('METRICS_PORT', { schema: port, default: '8081', help: 'Where metrics are.' }),
  ambient: setting('AMBIENT', { schema: flag, default: 'false', help: 'Own identity.' }),
  providers: setting('PROVIDERS', { schema: listOf('aws', 'gcp', 'sim'), default: 'aws,gcp', help: 'Which.' }),
  endpoint: setting('ENDPOINT', { schema: url, help: 'Where.' }),
  password: setting('PASSWORD', { schema: text, help: 'First one.', secret: true }),
  oidc: settingFamily('OIDC_', {
    issuer: setting('_ISSUER', { schema: url, help: 'The issuer.' }),
    clientSecret: setting('_CLIENT_SECRET', { schema: text, help: 'Its secret.', secret: true }),
    scopes: setting('_SCOPES', { schema: text, default: 'openid email', help: 'What is asked for.' }),
  }),
}

function read(environment: Record<string, string>, file?: string) {
  return readSettings(settings, {
    program: 'controller',
    about: 'Makes virtual machines.',
    environment,
    commandLine: file === undefined ? [] : ['--config', 'controller.yaml'],
    readFile: () => file ?? '',
  })
}

function values(environment: Record<string, string>, file?: string) {
  const outcome = read(environment, file)
  if (outcome.outcome !== 'read') throw new Error(JSON.stringify(outcome))
  return outcome.values
}

function refusals(environment: Record<string, string>, file?: string) {
  const outcome = read(environment, file)
  return outcome.outcome === 'refused' ? outcome.lines : []
}

describe('readSettings', () => {
  it('gives the defaults, parsed, when nothing is said', () => {
    expect(values({})).toEqual({
      syncInterval: 60_000,
      metricsPort: 8081,
      ambient: false,
      providers: ['aws', 'gcp'],
      endpoint: undefined,
      password: undefined,
      oidc: {},
    })
  })

  it('lets the environment win over the file and the file over the default', () => {
    const file = 'syncInterval: 90s\nMETRICS_PORT: 9000\nproviders: [aws, sim]\nambient: true\n'

    expect(values({ SYNC_INTERVAL: '1m30s500ms' }, file)).toMatchObject({
      syncInterval: 90_500,
      metricsPort: 9000,
      providers: ['aws', 'sim'],
      ambient: true,
    })
  })

  it('takes an empty variable for one that is not set', () => {
    expect(values({ METRICS_PORT: '', ENDPOINT: '' })).toMatchObject({ metricsPort: 8081, endpoint: undefined })
  })

  it('says in one line for each bad value which it is and what would be right', () => {
    const lines = refusals({ SYNC_INTERVAL: '60', METRICS_PORT: '70000', AMBIENT: 'yes', PROVIDERS: 'aws,azure' })

    expect(lines).toEqual([
      'SYNC_INTERVAL: "60" is no duration; write a number and a unit (ms, s, m, h, d), such as 30s or 1h30m',
      'METRICS_PORT: "70000" is no whole number from 0 to 65535',
      'AMBIENT: "yes" is neither true nor false',
      'PROVIDERS: "aws,azure" is no comma-separated list of aws, gcp, sim',
    ])
    expect(refusals({ SYNC_INTERVAL: '10ms' })).toEqual(['SYNC_INTERVAL: "10ms" is too short; the least is 1s'])
  })

  it('never repeats a secret, not even a wrong one', () => {
    const lines = refusals({ PASSWORD: 'hunter2\nhunter3' })

    expect(lines).toEqual(['PASSWORD: its value has more than one line'])
  })

  it('refuses a key in the file that means nothing, what is said twice, and a file that is no mapping', () => {
    expect(refusals({}, 'syncIntervall: 3s')).toEqual([
      '--config controller.yaml: syncIntervall is no setting, or its value has the wrong shape',
    ])
    expect(refusals({}, 'metricsPort: 1\nMETRICS_PORT: 2')).toEqual([
      '--config controller.yaml: METRICS_PORT is said twice',
    ])
    expect(refusals({}, '- a')).toEqual(['--config controller.yaml: is no mapping of settings to values'])
    expect(refusals({}, 'a: [')).toHaveLength(1)
  })

  it('gathers a family of named things from the environment and the file alike', () => {
    const file = 'oidc:\n  corp-sso:\n    issuer: https://sso.example.com/\n    clientSecret: s1\n'
    const environment = { OIDC_GOOGLE_ISSUER: 'https://accounts.google.com', OIDC_GOOGLE_CLIENT_SECRET: 's2' }

    expect(values(environment, file).oidc).toEqual({
      google: { issuer: 'https://accounts.google.com', clientSecret: 's2', scopes: 'openid email' },
      'corp-sso': { issuer: 'https://sso.example.com', clientSecret: 's1', scopes: 'openid email' },
    })
  })

  it('names the variable that a member of a family lacks', () => {
    expect(refusals({ OIDC_GOOGLE_ISSUER: 'https://accounts.google.com' })).toEqual([
      'OIDC_GOOGLE_CLIENT_SECRET: is missing; Its secret.',
    ])
  })

  it('refuses a flag it does not know and lists every variable when asked for help', () => {
    const options = { program: 'controller', about: 'Makes virtual machines.', environment: {} }
    const unknown = readSettings(settings, { ...options, commandLine: ['--confg', 'x'] })
    const help = readSettings(settings, { ...options, commandLine: ['--help'] })

    expect(unknown).toMatchObject({ outcome: 'refused' })
    expect(help.outcome).toBe('help')
    for (const variable of ['SYNC_INTERVAL', 'METRICS_PORT', 'OIDC_<NAME>_ISSUER', 'OIDC_<NAME>_SCOPES']) {
      expect(help).toMatchObject({ text: expect.stringContaining(variable) })
    }
  })
})

describe('shownSettings', () => {
  it('shows what is in force and leaves secrets out', () => {
    const environment = { PASSWORD: 'hunter2', OIDC_A_ISSUER: 'https://a.example', OIDC_A_CLIENT_SECRET: 'hunter3' }
    const shown = shownSettings(settings satisfies Settings, values(environment))

    expect(shown).toMatchObject({ syncInterval: 60_000, endpoint: null, oidc: { a: { issuer: 'https://a.example' } } })
    expect(JSON.stringify(shown)).not.toContain('hunter')
  })
})
