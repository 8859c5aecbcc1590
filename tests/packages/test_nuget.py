"""The NuGet package, unpacked as NuGet unpacks it, under Mono and under .NET."""

import json
import xml.etree.ElementTree
import zipfile

import pytest

RUNTIME = {"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"}, "rollForward": "LatestMajor",
                              "configProperties": {"System.Globalization.Invariant": True}}}


@pytest.fixture
def program(package, elsewhere):
    """The folder of a published program, with the assembly and the native library."""
    with zipfile.ZipFile(package("*.nupkg")) as unzipped:
        unzipped.extractall(elsewhere.folder / "cache/esales.notify")
    cache = elsewhere.folder / "cache/esales.notify"
    app = elsewhere.folder / "app"
    app.mkdir()
    (cache / "lib/netstandard2.0/Esales.Notify.dll").rename(app / "Esales.Notify.dll")
    (cache / "runtimes").rename(app / "runtimes")
    source = elsewhere.copy("bindings/csharp/examples/AddToCart.cs")
    elsewhere.run("mcs", f"-r:{app}/Esales.Notify.dll", f"-out:{app}/AddToCart.exe", source)
    return app / "AddToCart.exe"


def test_nuget_package_delivers_under_mono(program, delivers):
    delivers("mono", program)


def test_nuget_package_delivers_under_dotnet(program, delivers, elsewhere, root):
    config = elsewhere.write("app/AddToCart.runtimeconfig.json", json.dumps(RUNTIME))
    dotnet = root / "target/dotnet/node_modules/dotnet-3.1-linux-x64/dotnet"
    delivers(dotnet, "exec", "--runtimeconfig", config, program, DOTNET_CLI_TELEMETRY_OPTOUT="1")


def test_nuget_package_delivers_from_the_package_cache(package, elsewhere, delivers):
    """The package cache has the assembly in lib/netstandard2.0 and the native library two folders up."""
    with zipfile.ZipFile(package("*.nupkg")) as unzipped:
        unzipped.extractall(elsewhere.folder / "cache")
    lib = elsewhere.folder / "cache/lib/netstandard2.0"
    source = elsewhere.copy("bindings/csharp/examples/AddToCart.cs")
    elsewhere.run("mcs", f"-r:{lib}/Esales.Notify.dll", "-out:AddToCart.exe", source)
    delivers("mono", "AddToCart.exe", MONO_PATH=str(lib))


def test_nuget_package_has_the_listed_files(package, version):
    with zipfile.ZipFile(package("*.nupkg")) as unzipped:
        names = unzipped.namelist()
        documents = {name: xml.etree.ElementTree.fromstring(unzipped.read(name))
                     for name in names if name.endswith((".nuspec", ".xml", ".rels", ".psmdcp"))}
    assert {"lib/netstandard2.0/Esales.Notify.dll", "lib/netstandard2.0/Esales.Notify.xml", "README.md",
            "runtimes/linux-x64/native/libesales_notify.so", "LICENSE-MIT", "THIRD-PARTY-LICENSES.txt"} <= set(names)
    space = {"n": "http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"}
    described = documents["Esales.Notify.nuspec"].find("n:metadata", space)
    assert described.find("n:id", space).text == "Esales.Notify"
    assert described.find("n:version", space).text == version
    # [Content_Types].xml must list every part of the package.
    types = documents["[Content_Types].xml"]
    known = {entry.get("Extension") for entry in types} | {entry.get("PartName", "").lstrip("/") for entry in types}
    for name in names:
        assert name == "[Content_Types].xml" or name in known or name.rsplit(".", 1)[-1] in known, name
    for target in [entry.get("Target") for entry in documents["_rels/.rels"]]:
        assert target.lstrip("/") in names
