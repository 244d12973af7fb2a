import { describe, expect, it } from 'vitest'
import { outputFirstPieces, outputLastPieces, outputPieceBytes } from '../protocol.ts'
import { outputPump } from './output-pump.ts'
import { redactor } from './redact.ts'

const pieceLength = Math.floor(outputPieceBytes / 3)

function pump() {
  const sent = new Map<number, string>()
  const options = { redactor: redactor([]), beat: async () => undefined, everyMs: 3_600_000 }
  const sendPiece = async (index: number, text: string) => void sent.set(index, text)
  return { sent, ...outputPump({ ...options, sendPiece }) }
}

describe('what is printed', () => {
  it('arrives whole as long as it is short', async () => {
    const { sent, write, close } = pump()
    for (let line = 0; line < 10_000; line++) write(`line ${line}\n`)
    await close()
    expect([...sent.values()].join('')).toMatch(/^line 0\n[\s\S]*line 9999\n$/)
    expect([...sent.keys()]).toEqual([0, 1, 2])
  })

  it('is kept in its first and its last pieces alone while it cannot be sent', async () => {
    const { sent, write, close } = pump()
    const pieces = 1_000
    for (let piece = 0; piece < pieces; piece++) write('x'.repeat(pieceLength))
    write('the end')
    await close()
    const first = Array.from({ length: outputFirstPieces }, (_, index) => index)
    const last = Array.from({ length: outputLastPieces }, (_, index) => pieces + 1 - outputLastPieces + index)
    expect([...sent.keys()].sort((a, b) => a - b)).toEqual([...first, ...last])
    expect(sent.get(pieces)).toBe('the end')
  })
})
