# The commands of the project. Each installs what it needs first; two at once do not get in each other's way.

# Node 24 comes as an npm package, so that an older one is enough to begin with.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help dev dev-clean check test e2e kind generate bench dependencies

help: ## What there is (this)
	@awk -F ': .*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: dependencies ## A control plane, the sim cloud, the controller and the facade; Ctrl-C stops them, state is kept in .dev/
	@exec node tools/dev.ts

dev-clean: dependencies ## Forget what `make dev` kept
	@node tools/dev.ts clean

check: dependencies ## Types, lint and unit tests, in seconds; no control plane
	@npm run --silent check

test: dependencies ## Every test there is, against real servers on loopback
	@node tools/obtain.ts control-plane etcdctl etcdutl tofu terraform-provider-time helm promtool moto >/dev/null
	@tsc --noEmit
	@biome check .
	@vitest run

e2e: dependencies ## The user's story from helm install to uninstall, on a local control plane with a small kubelet; part of `make test`
	@node tools/obtain.ts control-plane tofu helm promtool >/dev/null
	@vitest run test/e2e test/gitops

kind: ## A kind cluster with everything in it (needs Docker, kind, kubectl, helm; not run by the tests)
	@exec tools/kind/up.sh

generate: dependencies ## Write crds/yaml from the definitions
	@npm run --silent generate

bench: dependencies ## Measure; `make bench only=kube-informer,facade` runs some
	@node tools/obtain.ts control-plane >/dev/null
	@node test/bench/run.ts $(only)

# npm writes node_modules/.package-lock.json last: where it is older than the lockfile, or missing, the installation is
# stale or was interrupted. Two at once take turns where the system has flock(1).
dependencies:
	@command -v npm >/dev/null || { echo 'npm is missing: install Node.js 20 or newer' >&2; exit 1; }
	@exec 9<package-lock.json; if command -v flock >/dev/null; then flock 9; fi; \
	if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then \
		echo 'installing the npm packages of package-lock.json' >&2; \
		npm ci --include=dev --include=optional --prefer-offline --loglevel=error >&2; \
	fi
	@node -e 'if (!process.features.typescript) { console.error(`Node.js $${process.versions.node} cannot run TypeScript, and npm has no newer one for this platform: install 24`); process.exit(1) }'
