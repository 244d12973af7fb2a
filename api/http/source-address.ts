/**
 * Where a call comes from: the peer of its connection, or, when that is one of the operator's own proxies, what the
 * proxies say. `X-Forwarded-For` is read from its end, as far as every hop is trusted, because anybody can write
 * its beginning.
 */
import { BlockList, isIP } from 'node:net'

export type SourceAddress = (peer: string | undefined, forwardedFor: string | null | undefined) => string

/** @param trustedProxies addresses and CIDR ranges */
export function sourceAddress(trustedProxies: readonly string[]): SourceAddress {
  const trusted = new BlockList()
  for (const range of trustedProxies) {
    const [address = '', prefix] = range.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(prefix), family)
  }

  function isTrusted(address: string): boolean {
    return trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  }

  return (peer = '', forwardedFor) => {
    let source = plain(peer)
    if (trustedProxies.length === 0 || !forwardedFor) return source
    const hops = forwardedFor.split(',').map((hop) => plain(hop.trim()))
    while (hops.length > 0 && isTrusted(source)) {
      const hop = hops.pop() ?? ''
      if (isIP(hop) === 0) break
      source = hop
    }
    return source
  }
}

/** An IPv4 address is often shown as an IPv6 one. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address
}

/** Who counts as one caller: an address, or an IPv6 network of 64 bits, of which a single host has all. */
export function rateKey(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length
    while (groups.length < 8 - after) groups.push('0')
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}
