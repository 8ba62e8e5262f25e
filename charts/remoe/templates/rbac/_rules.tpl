{{/*
The rights that the operator needs where it looks after MoEServices, and no more. Kubernetes lets it
give only rights that it has, so those of the roles it makes (main models and gateways watch
Deployments, EndpointSlices and Pods, and scale) stand here too.
*/}}
{{- define "remoe.operator.rules" -}}
# MoEServices are read and told their state; never made, changed or deleted.
- apiGroups: [remoe.dev]
  resources: [moeservices]
  verbs: [get, list, watch]
- apiGroups: [remoe.dev]
  resources: [moeservices/status]
  verbs: [patch]
# Where OwnerReferencesPermissionEnforcement is on, owning children asks for this. No finalizer is set.
- apiGroups: [remoe.dev]
  resources: [moeservices/finalizers]
  verbs: [update]
# Main models, functions and gateways. Server-side apply creates by create and changes by patch.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# Waking and putting to sleep; also given on to main models and gateways.
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [get, patch, update]
# What fetches a model's weights.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
# Plans, and the claim that weights are kept on.
- apiGroups: [""]
  resources: [configmaps, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, delete]
# Addresses and identities.
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, create, patch, delete]
# A token between main model and functions is made once; a user's Secrets are looked up by the name
# that a MoEService gives. No list and no watch: it cannot find Secrets that nobody names.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch, delete]
# Why a child is in trouble, and where it answers; also given on to main models and gateways. A patch
# marks the idlest replicas as those to end first.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
# What a user reads in `kubectl describe`, and what schedulers and volumes say about children.
- apiGroups: [""]
  resources: [events]
  verbs: [get, list, create, patch]
# The least rights of main models and gateways.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, create, patch, delete]
# Who may reach whom, and how many may go at once.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, create, patch, delete]
{{- end }}
