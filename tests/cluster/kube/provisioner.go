package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const (
	provisionerName = "flink.kubectl/folder"
	// Set by the volume controller on a claim once it wants a volume from an outside provisioner (for a class that waits
	// for its first consumer that is after the scheduler has chosen a node).
	wantsAnnotation     = "volume.kubernetes.io/storage-provisioner"
	nodeAnnotation      = "volume.kubernetes.io/selected-node"
	madeByAnnotation    = "pv.kubernetes.io/provisioned-by"
	storageClass        = "standard"
	flinkUser           = 9999
	reconcileEvery      = 10 * time.Second
	informerResyncEvery = time.Minute
)

// provisioner gives every claim of the class `standard` a folder of its own that Flink's user can write, and a volume on
// it of the requested size; both go when the claim goes. It never touches a volume that it did not make.
type provisioner struct {
	client  kubernetes.Interface
	folder  string // of all volumes: FOLDER/NAMESPACE/CLAIM-UID
	claims  listers.PersistentVolumeClaimLister
	volumes listers.PersistentVolumeLister
}

func newProvisionerCommand() *cobra.Command {
	var kubeconfig, folder string
	cmd := &cobra.Command{
		Use:   "provisioner",
		Short: "Gives claims of the class `standard` a folder and a volume",
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			return runProvisioner(ctx, client, folder)
		},
	}
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	cmd.Flags().StringVar(&folder, "folder", "", "where the volumes' folders are made")
	return cmd
}

func runProvisioner(ctx context.Context, client kubernetes.Interface, folder string) error {
	factory := informers.NewSharedInformerFactory(client, informerResyncEvery)
	core := factory.Core().V1()
	p := &provisioner{client: client, folder: folder, claims: core.PersistentVolumeClaims().Lister(), volumes: core.PersistentVolumes().Lister()}

	// One pending look is enough, however many events come in meanwhile: a look goes over everything.
	look := make(chan struct{}, 1)
	wake := func() {
		select {
		case look <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { wake() },
		UpdateFunc: func(any, any) { wake() },
		DeleteFunc: func(any) { wake() },
	}
	for _, informer := range []cache.SharedIndexInformer{core.PersistentVolumeClaims().Informer(), core.PersistentVolumes().Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		if err := p.reconcile(ctx); err != nil {
			klog.ErrorS(err, "will be tried again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look:
		case <-tick.C:
		}
	}
}

// reconcile makes the volumes that are wanted and missing and removes those whose claim is gone.
func (p *provisioner) reconcile(ctx context.Context) error {
	claims, err := p.claims.List(labels.Everything())
	if err != nil {
		return err
	}
	var first error
	keep := func(err error) {
		if err != nil && first == nil {
			first = err
		}
	}
	for _, claim := range claims {
		if wantsVolume(claim) {
			keep(p.provide(ctx, claim))
		}
	}
	volumes, err := p.volumes.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, volume := range volumes {
		if volume.Annotations[madeByAnnotation] == provisionerName && volume.Status.Phase == corev1.VolumeReleased && volume.DeletionTimestamp == nil {
			keep(p.remove(ctx, volume))
		}
	}
	return first
}

// wantsVolume says whether a claim waits for a volume of ours.
func wantsVolume(claim *corev1.PersistentVolumeClaim) bool {
	return claim.Annotations[wantsAnnotation] == provisionerName &&
		claim.Annotations[nodeAnnotation] != "" &&
		claim.Spec.VolumeName == "" &&
		claim.Status.Phase == corev1.ClaimPending &&
		claim.DeletionTimestamp == nil
}

func (p *provisioner) provide(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	name := "pvc-" + string(claim.UID)
	if _, err := p.volumes.Get(name); err == nil {
		return nil // made already; the volume controller is about to bind it
	}
	path := filepath.Join(p.folder, claim.Namespace, fmt.Sprintf("%s-%s", claim.Name, claim.UID))
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	if err := os.Chown(path, flinkUser, flinkUser); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o777); err != nil { // after Mkdir, whose mode the umask narrows
		return err
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{madeByAnnotation: provisionerName}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteMany},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			StorageClassName:              storageClass,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}},
			ClaimRef:                      &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
		},
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		klog.InfoS("volume made", "claim", klog.KObj(claim), "volume", name, "folder", path)
	}
	return err
}

func (p *provisioner) remove(ctx context.Context, volume *corev1.PersistentVolume) error {
	if err := os.RemoveAll(volume.Spec.HostPath.Path); err != nil {
		return err
	}
	os.Remove(filepath.Dir(volume.Spec.HostPath.Path)) // the namespace's folder, if that was its last
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		klog.InfoS("volume removed", "volume", volume.Name, "folder", volume.Spec.HostPath.Path)
	}
	return err
}
