/* Which resource an AWS CloudTrail record is about. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/awsresource.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Request parameters that name a resource, the most telling first, and the noun that ARNs have for it. */
static const struct {
	const char *parameter, *noun;
} parameters[] = {
        {"bucketName", "bucket"},
        {"bucket", "bucket"},
        {"secretId", "secret"},
        {"functionName", "function"},
        {"instanceId", "instance"},
        {"instanceProfileName", "instance-profile"},
        {"roleName", "role"},
        {"userName", "user"},
        {"groupName", "group"},
        {"policyArn", "policy"},
        {"policyName", "policy"},
        {"roleArn", "role"},
        {"keyId", "key"},
        {"trailName", "trail"},
        {"dBInstanceIdentifier", "db"},
        {"dBSnapshotIdentifier", "snapshot"},
        {"dBClusterIdentifier", "cluster"},
        {"resourceArn", "resource"},
        {"resourceName", "resource"},
        {"resourceId", "resource"},
        {"volumeId", "volume"},
        {"snapshotId", "snapshot"},
        {"imageId", "image"},
        {"networkInterfaceId", "network-interface"},
        {"natGatewayId", "nat-gateway"},
        {"routeTableId", "route-table"},
        {"subnetId", "subnet"},
        {"groupId", "security-group"},
        {"networkAclId", "network-acl"},
        {"internetGatewayId", "internet-gateway"},
        {"allocationId", "elastic-ip"},
        {"associationId", "association"},
        {"vpcId", "vpc"},
        {"logGroupName", "log-group"},
        {"tableName", "table"},
        {"queueUrl", "queue"},
        {"topicArn", "topic"},
        {"stackName", "stack"},
        {"clusterName", "cluster"},
        {"name", "name"},
};

/* arn:partition:service:… */
static bool arn_service(const char *arn, char ret[65])
{
	const char *service, *end;

	if (strncmp(arn, "arn:", 4) != 0 || !(service = strchr(arn + 4, ':')))
		return false;
	end = strchr(++service, ':');
	if (!end || end == service || end - service > 64)
		return false;
	memcpy(ret, service, (size_t)(end - service));
	ret[end - service] = 0;
	return true;
}

static void set(struct aws_resource *ret, const char *service, const char *noun, const char *name)
{
	if (arn_service(name, ret->type)) {
		snprintf(ret->id, sizeof ret->id, "%s", name);
		return;
	}
	snprintf(ret->type, sizeof ret->type, "%s", service);
	snprintf(ret->id, sizeof ret->id, "%s/%s", noun, name);
}

/* resources[]: the first of the event's own service, else the first. (A parameter's decryption lists the key too.) */
static bool from_resources(const json_t *record, const char *service, struct aws_resource *ret)
{
	const json_t *list = json_object_get(record, "resources"), *item;
	const char *arn, *first = NULL;
	char owner[65];
	size_t i;

	json_array_foreach(list, i, item)
	{
		arn = json_string_value(json_object_get(item, "ARN"));
		if (!arn || !*arn)
			continue;
		if (!first)
			first = arn;
		if (arn_service(arn, owner) && !strcmp(owner, service)) {
			first = arn;
			break;
		}
	}
	if (!first)
		return false;
	set(ret, service, "resource", first);
	return true;
}

static bool from_object(const json_t *object, const char *service, struct aws_resource *ret)
{
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
		const char *s = json_string_value(json_object_get(object, parameters[i].parameter));

		if (!s || !*s)
			continue;
		set(ret, service, parameters[i].noun, s);
		return true;
	}
	return false;
}

/* EC2 wraps what is asked for: {"vpcSet": {"items": [{"vpcId": …}]}}. */
static bool from_sets(const json_t *request, const char *service, struct aws_resource *ret)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)request, name, value)
	{
		size_t n = strlen(name);

		if (n > 3 && !strcmp(name + n - 3, "Set") && strcmp(name, "filterSet") != 0 &&
		    from_object(json_array_get(json_object_get(value, "items"), 0), service, ret))
			return true;
	}
	return false;
}

void aws_resource_find(const json_t *record, const char *service, struct aws_resource *ret)
{
	const json_t *request = json_object_get(record, "requestParameters");

	if (from_resources(record, service, ret) || from_object(request, service, ret) ||
	    from_sets(request, service, ret))
		return;
	snprintf(ret->type, sizeof ret->type, "service");
	snprintf(ret->id, sizeof ret->id, "%s", service);
}
