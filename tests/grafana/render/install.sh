#!/bin/sh
# Install what draws the dashboards into build/render, and bundle it; half a minute, once.
# --ignore-scripts: nothing that is downloaded runs here. --legacy-peer-deps: two of the packages
# that @grafana/ui needs ask for an older react than @grafana/ui itself.
set -eu
cd "$(dirname "$0")/../../.."
here=tests/grafana/render
there=build/render

mkdir -p "$there"
if ! cmp -s "$here/package-lock.json" "$there/installed"; then
    echo "installing: Grafana's components to draw dashboards with"
    rm -rf "$there/node_modules" "$there/installed"
    cp "$here/package.json" "$here/package-lock.json" "$there"
    (cd "$there" && npm ci --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps)
    cp "$here/package-lock.json" "$there/installed"
fi
# With two versions of @grafana/data one theme would not reach the other's components.
if [ -e "$there/node_modules/@grafana/ui/node_modules/@grafana" ]; then
    echo "@grafana/ui brings a second @grafana/data: give both the same version" >&2
    exit 1
fi
NODE_PATH="$PWD/$there/node_modules" "$there/node_modules/.bin/esbuild" "$here/src/main.tsx" --bundle --minify --format=iife \
    --target=chrome110 --jsx=automatic --outfile="$there/main.js" --log-level=error \
    --define:process.env.NODE_ENV='"production"' --define:global=window \
    --alias:monaco-editor=./$here/src/absent.cjs \
    --alias:react-monaco-editor=./$here/src/absent.cjs \
    --alias:@monaco-editor/react=./$here/src/absent.cjs \
    --loader:.svg=dataurl --loader:.woff=dataurl --loader:.woff2=dataurl
