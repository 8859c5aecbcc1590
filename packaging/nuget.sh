#!/bin/sh
# Esales.Notify.VERSION.nupkg, made without NuGet's tools, because their registry is not reachable everywhere. Mono's
# compiler makes the assembly, so it refers to mscorlib 4.0, which .NET, .NET Framework and Mono all have.
. "$(dirname "$0")/common.sh"

stage nuget
lib=$stage/lib/netstandard2.0
native=$stage/runtimes/linux-x64/native
meta=$stage/package/services/metadata/core-properties
mkdir -p "$lib" "$native" "$meta" "$stage/_rels"
mcs -langversion:7.2 -warnaserror -optimize+ -unsafe -target:library -out:"$lib/Esales.Notify.dll" \
    -doc:"$lib/Esales.Notify.xml" bindings/csharp/src/*.cs
cp "$portable/libesales_notify.so" "$native"
page bindings/csharp/README.md "$stage/README.md"
cp LICENSE-MIT LICENSE-APACHE "$portable/THIRD-PARTY-LICENSES.txt" "$stage"

# The package's metadata from the project file, in NuGet's form.
property() {
    sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" bindings/csharp/Esales.Notify.csproj
}
fill() { # TEMPLATE TARGET
    sed -e "s|@ID@|$(property PackageId)|g" -e "s|@VERSION@|$(property Version)|g" -e "s|@AUTHORS@|$(property Authors)|g" \
        -e "s|@DESCRIPTION@|$(property Description)|g" -e "s|@TAGS@|$(property PackageTags)|g" \
        -e "s|@HOMEPAGE@|$HOMEPAGE|g" -e "s|@REPOSITORY@|$REPOSITORY|g" \
        -e "s|@LICENSE@|$(property PackageLicenseExpression)|g" "packaging/nuget/$1" >"$stage/$2"
}
fill nuspec.xml Esales.Notify.nuspec
fill properties.xml package/services/metadata/core-properties/esales-notify.psmdcp
fill relationships.xml _rels/.rels
fill content-types.xml '[Content_Types].xml'
settle "$stage"
rm -f "$packages"/*.nupkg
python3 packaging/zip.py "$stage" "$packages/$(property PackageId).$version.nupkg"
