/**
 * The certificates of a local control plane: an authority, and what it signs.
 *
 * Guarantees: keys are ECDSA P-256 and come out as PEM. An authority that was saved can be loaded again, so that what it once signed stays valid.
 * Assumes that this is for loopback only: certificates are good for ten years and nobody revokes them.
 *
 * @see https://kubernetes.io/docs/setup/best-practices/certificates/
 */
import 'reflect-metadata' // @peculiar/x509 needs it to be there first
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** Both as PEM. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

export interface CertificateAuthority extends KeyPair {
  /** For a server that is called by these names or addresses. */
  issueServer(name: string, hosts: readonly string[]): Promise<KeyPair>
  /** For a client that Kubernetes knows as `user` in `groups`. */
  issueClient(user: string, groups: readonly string[]): Promise<KeyPair>
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const TEN_YEARS_MS = 10 * 365 * 24 * 3_600_000
/** A clock that is a little behind must not find the certificate to be of the future. */
const SKEW_MS = 3_600_000

export async function createAuthority(now: Date): Promise<CertificateAuthority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: ['skyclust-local'] }],
    notBefore: new Date(now.getTime() - SKEW_MS),
    notAfter: new Date(now.getTime() + TEN_YEARS_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return loadAuthority({ certificate: certificate.toString('pem'), key: await privatePem(keys.privateKey) }, now)
}

export async function loadAuthority(pair: KeyPair, now: Date): Promise<CertificateAuthority> {
  const certificate = new X509Certificate(pair.certificate)
  const pkcs8 = createPrivateKey(pair.key).export({ format: 'der', type: 'pkcs8' })
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign'])

  async function issue(
    name: { CN: string[] }[] | NameParts,
    usage: string,
    hosts: readonly string[],
  ): Promise<KeyPair> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const issued = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: name,
      issuer: certificate.subjectName,
      notBefore: new Date(now.getTime() - SKEW_MS),
      notAfter: certificate.notAfter,
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([usage]),
        await AuthorityKeyIdentifierExtension.create(certificate),
        ...(hosts.length === 0 ? [] : [new SubjectAlternativeNameExtension(hosts.map(alternativeName))]),
      ],
    })
    return { certificate: issued.toString('pem'), key: await privatePem(keys.privateKey) }
  }

  return {
    ...pair,
    issueServer: (name, hosts) => issue([{ CN: [name] }], ExtendedKeyUsage.serverAuth, hosts),
    issueClient: (user, groups) =>
      issue([...groups.map((group) => ({ O: [group] })), { CN: [user] }], ExtendedKeyUsage.clientAuth, []),
  }
}

type NameParts = Record<string, string[]>[]

function alternativeName(host: string): { type: 'ip' | 'dns'; value: string } {
  return { type: /^[\d.]+$|:/.test(host) ? 'ip' : 'dns', value: host }
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString()
}

/** 15 random bytes in hex; the first digit keeps the number positive and without a leading zero (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  return `4${randomBytes(15).toString('hex').slice(1)}`
}
