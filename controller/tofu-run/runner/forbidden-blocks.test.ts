import { describe, expect, it } from 'vitest'
import { forbiddenBlocks } from './forbidden-blocks.ts'

describe('forbiddenBlocks', () => {
  it('names file and line of a backend block', () => {
    const text =
      'variable "a" {}\n\nterraform {\n  required_version = ">= 1.6"\n  backend "s3" {\n    bucket = "x"\n  }\n}\n'
    expect(forbiddenBlocks({ 'main.tf': text })).toEqual([{ file: 'main.tf', line: 5, block: 'backend' }])
  })

  it('finds a cloud block, also on one line and in a .tofu file', () => {
    expect(forbiddenBlocks({ 'a.tofu': 'terraform { cloud {} }' })).toEqual([
      { file: 'a.tofu', line: 1, block: 'cloud' },
    ])
  })

  it('finds both in JSON syntax, in an object and in a list of objects', () => {
    const json = '{\n  "terraform": [{\n    "backend": {"local": {}}\n  }]\n}'
    expect(forbiddenBlocks({ 'main.tf.json': json })).toEqual([{ file: 'main.tf.json', line: 3, block: 'backend' }])
    expect(forbiddenBlocks({ 'x.tofu.json': '{"terraform": {"cloud": {}}}' })).toHaveLength(1)
  })

  it.each([
    ['a comment', 'terraform {\n  # backend "s3" {\n  // cloud {\n  /* backend "x" {\n } */\n}'],
    ['a heredoc', 'locals {\n  a = <<-EOT\n    terraform {\n      backend "s3" {\n    EOT\n}'],
    [
      'a string with a template',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the template is HCL's
      'locals {\n  a = "terraform { ${join("}", ["{"])} backend {"\n}\nlocals {\n backend = {}\n}',
    ],
    ['an escaped template', 'locals {\n  a = "$${ backend {"\n}'],
    ['another block', 'resource "aws_lb" "backend" {\n  backend {\n  }\n}'],
    ['an attribute', 'terraform {\n  experiments = [backend]\n}\nlocals { backend = { cloud = {} } }'],
    ['a nested block of terraform', 'terraform {\n  encryption {\n    backend {\n    }\n  }\n}'],
    ['a file that is no configuration', ''],
  ])('is not taken in by %s', (_what, text) => {
    expect(forbiddenBlocks({ 'main.tf': text })).toEqual([])
  })

  it('does not look into files tofu does not read', () => {
    expect(
      forbiddenBlocks({ 'notes.txt': 'terraform {\n  backend "s3" {\n', 'x.tfvars': 'terraform { cloud {} }' }),
    ).toEqual([])
  })

  it('comes to an end on text that does not parse', () => {
    for (const text of ['"', '"${', '<<EOT\n', 'terraform {', '}}}}', '/*', '{"terraform":']) {
      expect(forbiddenBlocks({ 'main.tf': text, 'main.tf.json': text })).toEqual([])
    }
  })
})
