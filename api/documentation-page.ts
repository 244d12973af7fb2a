/**
 * The page at `/docs`: reads `/openapi.json` and writes it out, by itself, without a byte from another host. Whatever
 * the document says is put in as text, never as markup.
 */
export const documentationPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SkyClust API</title>
<style>
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent) }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) }
  details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .4rem .8rem }
  summary { cursor: pointer; display: flex; gap: .8rem; flex-wrap: wrap }
  code, pre { font: 14px/1.45 ui-monospace, monospace }
  pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .4rem }
  .method { min-width: 4rem; font-weight: 700 }
  .quiet { opacity: .7 }
</style>
<h1>SkyClust API</h1>
<p class="quiet">From <a href="/openapi.json">/openapi.json</a>. Answers are in Korean by default; send
<code>Accept-Language: en</code> for English. Log in with <code>POST /api/v1/auth/login</code> and send the token as
<code>Authorization: Bearer</code>.</p>
<main>Loading …</main>
<script>
const element = (name, text, ...children) => {
  const node = document.createElement(name)
  if (text) node.textContent = text
  node.append(...children)
  return node
}
const resolve = (api, schema, depth = 0) => {
  if (schema === null || typeof schema !== 'object' || depth > 8) return schema
  if (schema.$ref) return resolve(api, schema.$ref.slice(2).split('/').reduce((at, key) => at[key], api), depth + 1)
  if (Array.isArray(schema)) return schema.map((one) => resolve(api, one, depth + 1))
  return Object.fromEntries(Object.entries(schema).map(([key, one]) => [key, resolve(api, one, depth + 1)]))
}
const block = (title, api, content) => {
  const schema = content?.['application/json']?.schema
  return schema ? [element('p', title), element('pre', JSON.stringify(resolve(api, schema), null, 2))] : []
}
const operation = (api, path, method, described) => {
  const label = element('span', method.toUpperCase())
  label.className = 'method'
  const details = element('details', '', element('summary', '', label, element('code', path), element('span', described.summary)))
  if (described.description) details.append(element('p', described.description))
  for (const one of described.parameters ?? []) {
    const note = [one.in, one.required ? 'required' : 'optional', one.schema?.description ?? one.description].filter(Boolean)
    details.append(element('p', '', element('code', one.name), ' ' + note.join(', ')))
  }
  details.append(...block('Body', api, described.requestBody?.content))
  for (const [status, answer] of Object.entries(described.responses)) {
    if (status !== 'default') details.append(...block(status + ' ' + answer.description, api, answer.content))
  }
  return details
}
fetch('/openapi.json').then((answer) => answer.json()).then((api) => {
  const main = document.querySelector('main')
  const groups = new Map()
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      const tag = described.tags?.[0] ?? 'Other'
      groups.set(tag, [...(groups.get(tag) ?? []), operation(api, path, method, described)])
    }
  }
  main.replaceChildren(...[...groups].flatMap(([tag, operations]) => [element('h2', tag), ...operations]))
})
</script>
</html>
`
