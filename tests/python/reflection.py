#!/usr/bin/python3
"""Shows the messages of a user, knowing nothing but that the server has reflection (grpc.reflection.v1).

    reflection.py HOST:PORT USER

Prints one JSON object per line: first the names of all services, then each message with its timeline.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

REFLECTION = "grpc.reflection.v1"


def field(name, number, kind, **more):
    types = descriptor_pb2.FieldDescriptorProto
    label = more.pop("label", types.LABEL_OPTIONAL)
    return types(name=name, number=number, type=getattr(types, "TYPE_" + kind), label=label, **more)


def reflection_types():
    """What of the reflection protocol is used here, as its specification has it."""
    repeated = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    package = "." + REFLECTION + "."
    request = descriptor_pb2.DescriptorProto(name="ServerReflectionRequest")
    request.oneof_decl.add(name="message_request")
    request.field.extend([
        field("file_by_filename", 3, "STRING", oneof_index=0),
        field("file_containing_symbol", 4, "STRING", oneof_index=0),
        field("list_services", 7, "STRING", oneof_index=0),
    ])
    response = descriptor_pb2.DescriptorProto(name="ServerReflectionResponse")
    response.field.extend([
        field("file_descriptor_response", 4, "MESSAGE", type_name=package + "FileDescriptorResponse"),
        field("list_services_response", 6, "MESSAGE", type_name=package + "ListServiceResponse"),
    ])
    files = descriptor_pb2.DescriptorProto(name="FileDescriptorResponse")
    files.field.append(field("file_descriptor_proto", 1, "BYTES", label=repeated))
    services = descriptor_pb2.DescriptorProto(name="ListServiceResponse")
    services.field.append(
        field("service", 1, "MESSAGE", label=repeated, type_name=package + "ServiceResponse"))
    service = descriptor_pb2.DescriptorProto(name="ServiceResponse")
    service.field.append(field("name", 1, "STRING"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto(
        name="reflection.proto", package=REFLECTION, syntax="proto3",
        message_type=[request, response, files, services, service]))
    return [message_class(pool, REFLECTION + "." + name)
            for name in ("ServerReflectionRequest", "ServerReflectionResponse")]


def message_class(pool, name):
    descriptor = pool.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


class Server:
    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.request, self.response = reflection_types()
        self.pool = descriptor_pool.DescriptorPool()

    def reflect(self, **question):
        ask = self.channel.stream_stream(
            "/" + REFLECTION + ".ServerReflection/ServerReflectionInfo",
            request_serializer=self.request.SerializeToString,
            response_deserializer=self.response.FromString)
        return next(ask(iter([self.request(**question)]), timeout=15))

    def services(self):
        answer = self.reflect(list_services="*")
        return sorted(service.name for service in answer.list_services_response.service)

    def learn(self, **question):
        """Adds the files of an answer to the pool, each after those that it imports."""
        answer = self.reflect(**question).file_descriptor_response
        for octets in answer.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(octets)
            for imported in file.dependency:
                if not self.has(imported):
                    self.learn(file_by_filename=imported)
            if not self.has(file.name):
                self.pool.Add(file)

    def has(self, name):
        try:
            return bool(self.pool.FindFileByName(name))
        except KeyError:
            return False

    def call(self, service, method, **fields):
        found = self.pool.FindServiceByName(service).FindMethodByName(method)
        request = message_class(self.pool, found.input_type.full_name)
        response = message_class(self.pool, found.output_type.full_name)
        call = self.channel.unary_unary(
            "/%s/%s" % (service, method),
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString)
        return call(request(**fields), timeout=15)


def as_json(message):
    return json.dumps(json_format.MessageToDict(message, preserving_proto_field_name=True))


def main(address, user):
    server = Server(address)
    services = server.services()
    print(json.dumps({"services": services}))
    mailboxes = next(name for name in services if name.endswith(".MailboxService"))
    server.learn(file_containing_symbol=mailboxes)
    for message in server.call(mailboxes, "ListMessages", served_user=user).messages:
        print(as_json(server.call(mailboxes, "GetMessage", message_id=message.message_id)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
