#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reads docs/openapi.yaml for the tests, which are scripts.

openapi.py check    FILE                prints what is wrong with the document itself
openapi.py routes   FILE                prints METHOD PATH, every name in a path as {name}
openapi.py validate FILE                prints what is wrong with answers that are on stdin, one a
                                        line: BODY-FILE METHOD PATH STATUS [TYPE]
"""

import json
import re
import sys

import yaml
from jsonschema import Draft202012Validator, RefResolver

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


class StrictLoader(yaml.SafeLoader):
    """Of a key that stands there twice YAML would keep the second; here it is an error."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep) for key, _ in node.value]
        for key in {key for key in keys if keys.count(key) > 1}:
            raise yaml.YAMLError(f"{key}: stands there twice, {node.start_mark}")
        return super().construct_mapping(node, deep)


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def every(node, where="#"):
    yield where, node
    children = node.items() if isinstance(node, dict) else (
        enumerate(node) if isinstance(node, list) else ())
    for key, child in children:
        yield from every(child, f"{where}/{key}")


def resolve(document, node):
    while "$ref" in node:
        target = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def check_references(document):
    used = {node["$ref"] for _, node in every(document)
            if isinstance(node, dict) and isinstance(node.get("$ref"), str)}
    for reference in sorted(used):
        try:
            resolve(document, {"$ref": reference})
        except KeyError:
            print(f"{reference}: refers to nothing")
    for kind, members in document["components"].items():
        for name in members:
            if kind != "securitySchemes" and f"#/components/{kind}/{name}" not in used:
                print(f"components/{kind}/{name}: used by nobody")


def check_operations(document):
    seen = set()
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        if operation["operationId"] in seen:
            print(f"{where}: operationId {operation['operationId']} is another one's")
        seen.add(operation["operationId"])
        given = operation.get("parameters", []) + document["paths"][path].get("parameters", [])
        named = {resolve(document, one)["name"] for one in given
                 if resolve(document, one)["in"] == "path"}
        if named != set(re.findall(r"{([^}]*)}", path)):
            print(f"{where}: its parameters are not those of the path")
        if not any(status.startswith(("2", "3")) for status in operation["responses"]):
            print(f"{where}: never succeeds")
        if not operation.get("summary"):
            print(f"{where}: has no summary")


def check_schemas(document):
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        for where, node in every(schema, name):
            if isinstance(node, dict) and isinstance(node.get("properties"), dict) and \
                    node.get("additionalProperties") is not False:
                print(f"{where}: does not say additionalProperties: false")


def check(document):
    check_references(document)
    check_operations(document)
    check_schemas(document)


def routes(document):
    for method, path, _ in operations(document):
        print(method, re.sub(r"{[^}]*}", "{name}", path))


def find_operation(document, method, path):
    """A literal path goes before one with a name in it, as in the server."""
    for candidate in sorted(document["paths"], key=lambda one: one.count("{")):
        pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(candidate))
        if re.fullmatch(pattern, path) and method.lower() in document["paths"][candidate]:
            return document["paths"][candidate][method.lower()]
    return None


def body_faults(document, schema, media_type, body):
    if media_type.endswith("json"):
        instance = json.loads(body)
    else:
        instance = body.decode() if schema else None
    validator = Draft202012Validator(schema, resolver=RefResolver("", document))
    for error in validator.iter_errors(instance):
        yield f"{error.json_path}: {error.message}"


def answer_faults(document, body, method, path, status, media_type=""):
    operation = find_operation(document, method, path.split("?")[0])
    if operation is None:
        yield "is not described"
        return
    responses = operation["responses"]
    fallback = responses.get("default", {}) if status >= "400" else {}
    contents = resolve(document, responses.get(status, fallback)).get("content", {})
    if status not in responses and not fallback:
        yield f"{status} is not described"
    elif media_type in contents:
        yield from body_faults(document, contents[media_type]["schema"], media_type, body)
    elif contents or body:
        yield f"{status} with {media_type or 'no type'} is not described"


def validate(document):
    for line in sys.stdin:
        file, method, path, *rest = line.split()
        with open(file, "rb") as body:
            for fault in answer_faults(document, body.read(), method, path, *rest):
                print(f"{method} {path}: {fault}")


def main():
    action = {"check": check, "routes": routes, "validate": validate}[sys.argv[1]]
    with open(sys.argv[2], encoding="utf-8") as file:
        action(yaml.load(file, Loader=StrictLoader))


main()
